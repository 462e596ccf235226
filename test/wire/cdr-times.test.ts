import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { readDurationUs, readEpoch, readTime, TimePattern, type TimeUnit } from '../../src/wire/cdr-times.ts'
import { TimeZone } from '../../src/wire/time-zones.ts'

const utc = new TimeZone('UTC')
const berlin = new TimeZone('Europe/Berlin')

function micros(text: string, unit: TimeUnit = 'auto', zone = utc, format: string | null = null): number {
  const time = readTime(text, unit, zone, format === null ? null : new TimePattern(format))
  assert.ok(typeof time === 'object', `${text}: ${time}`)
  return time.us
}

describe('readTime', () => {
  // Expectations by GNU date: date -u -d '2026-03-01 10:00:00' +%s = 1772359200.
  const cases: [text: string, us: number][] = [
    ['1772359200', 1_772_359_200_000_000],
    ['1772359200123', 1_772_359_200_123_000],
    ['1772359200123456', 1_772_359_200_123_456],
    ['1772359200123456789', 1_772_359_200_123_456],
    ['1335310195.513823', 1_335_310_195_513_823],
    ['1772359200.5', 1_772_359_200_500_000],
    ['2026-03-01 10:00:00', 1_772_359_200_000_000],
    ['2026-03-01 10:00', 1_772_359_200_000_000],
    ['2026/03/01 10:00:00.25', 1_772_359_200_250_000],
    ['2026-03-01T10:00:00.000001Z', 1_772_359_200_000_001],
    ['2026-03-01T12:00:00.110+0200', 1_772_359_200_110_000],
    ['2026-03-01T12:00:00+02:00', 1_772_359_200_000_000],
    ['20260301100000.247', 1_772_359_200_247_000],
    ['20260301100000', 1_772_359_200_000_000],
    ['Sun, 01 Mar 2026 10:00:00 +0000', 1_772_359_200_000_000],
    ['Sun, 01 Mar 2026 10:00:00 Etc/UTC', 1_772_359_200_000_000],
    ['01.03.2026 10:00', 1_772_359_200_000_000],
    ['10:00:00.123 UTC Sun Mar 1 2026', 1_772_359_200_123_000],
  ]
  for (const [text, us] of cases) {
    it(`${text} is exact to the microsecond`, () => assert.equal(micros(text), us))
  }

  for (const text of ['', '0', '0.000', '0000-00-00 00:00:00', 'never', 'NULL', ' ']) {
    it(`${JSON.stringify(text)} means never`, () => assert.equal(readTime(text, 'auto', utc, null), undefined))
  }

  for (const text of ['soon', '2026-02-30 10:00:00', '2026-03-01 25:00:00', '03/04/2026 10:00', '17', '-5']) {
    it(`${text} is refused in words`, () => assert.equal(typeof readTime(text, 'auto', utc, null), 'string'))
  }

  it('a clock that h323 marks as unset is flagged', () => {
    const time = readTime('*10:00:00.123 UTC Sun Mar 1 2026', 'auto', utc, null)
    assert.deepEqual(time, { us: 1_772_359_200_123_000, laterUs: null, kind: 'once', unsynchronised: true })
  })

  it('a declared unit beats the magnitude', () => {
    assert.equal(micros('1772359200000', 'ms'), 1_772_359_200_000_000)
    assert.equal(typeof readTime('1772359200', 'us', utc, null), 'string')
  })

  it('a declared format reads what is ambiguous', () => {
    assert.equal(micros('04/03/2026 10:00:00', 'auto', utc, 'dd/MM/yyyy HH:mm:ss'), 1_772_618_400_000_000)
    assert.equal(micros('03/04/2026 10:00:00', 'auto', utc, 'MM/dd/yyyy HH:mm:ss'), 1_772_618_400_000_000)
    assert.equal(micros('3/4/26 9:05 PM', 'auto', utc, 'M/d/yy h:mm a'), 1_772_658_300_000_000)
    assert.throws(() => new TimePattern('xx/yyyy'), RangeError)
  })

  it('ISO texts agree with Date for every millisecond', () => {
    fc.assert(
      fc.property(fc.integer({ min: 315_532_800_000, max: 4_102_444_799_999 }), (ms) => {
        assert.equal(micros(new Date(ms).toISOString()), ms * 1000)
        assert.equal(micros(new Date(ms).toUTCString()), Math.floor(ms / 1000) * 1_000_000)
      }),
    )
  })

  it('epochs agree with a reading by BigInt', () => {
    const digits = fc.integer({ min: 400_000_000, max: 4_000_000_000 })
    fc.assert(
      fc.property(digits, fc.integer({ min: 0, max: 999_999 }), (seconds, fraction) => {
        const text = `${seconds}.${String(fraction).padStart(6, '0')}`
        assert.equal(BigInt(readEpoch(text, 'auto')), BigInt(seconds) * 1_000_000n + BigInt(fraction))
        assert.equal(readEpoch(text.replace('.', ''), 'us'), readEpoch(text, 's'))
      }),
    )
  })
})

describe('TimeZone', () => {
  // 2026: Europe/Berlin leaves winter time on 29 March 01:00 UTC and goes back on 25 October 01:00 UTC (EU 2000/84/EC).
  it('an hour that never occurs is moved forward and named', () => {
    const time = readTime('2026-03-29 02:30:00', 'auto', berlin, null)
    assert.deepEqual(time, {
      us: Date.UTC(2026, 2, 29, 1, 30) * 1000,
      laterUs: null,
      kind: 'never',
      unsynchronised: false,
    })
  })

  it('an hour that occurs twice keeps both readings', () => {
    const time = readTime('2026-10-25 02:30:00', 'auto', berlin, null)
    const [first, second] = [Date.UTC(2026, 9, 25, 0, 30) * 1000, Date.UTC(2026, 9, 25, 1, 30) * 1000]
    assert.deepEqual(time, { us: first, laterUs: second, kind: 'twice', unsynchronised: false })
  })

  it('the minutes around a change are not ambiguous', () => {
    assert.equal(micros('2026-03-29 01:59:59', 'auto', berlin), Date.UTC(2026, 2, 29, 0, 59, 59) * 1000)
    assert.equal(micros('2026-03-29 03:00:00', 'auto', berlin), Date.UTC(2026, 2, 29, 1, 0, 0) * 1000)
    assert.equal(micros('2026-10-25 01:59:59', 'auto', berlin), Date.UTC(2026, 9, 24, 23, 59, 59) * 1000)
    assert.equal(micros('2026-10-25 03:00:00', 'auto', berlin), Date.UTC(2026, 9, 25, 2, 0, 0) * 1000)
  })

  it('every moment comes back from the wall time that the engine prints for it', () => {
    const zones = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'America/St_Johns']
    const moment = fc.integer({ min: Date.UTC(2000, 0, 1) / 1000, max: Date.UTC(2035, 0, 1) / 1000 })
    for (const name of zones) {
      const zone = new TimeZone(name)
      const printer = new Intl.DateTimeFormat('sv-SE', { timeZone: name, dateStyle: 'short', timeStyle: 'medium' })
      fc.assert(
        fc.property(moment, (seconds) => {
          const time = readTime(printer.format(seconds * 1000), 'text', zone, null)
          assert.ok(typeof time === 'object')
          assert.ok(time.us === seconds * 1_000_000 || time.laterUs === seconds * 1_000_000)
        }),
        { numRuns: 200 },
      )
    }
  })

  it('a fixed offset is a zone; an unknown name is not', () => {
    assert.equal(micros('2026-03-01 12:00:00', 'auto', new TimeZone('+02:00')), 1_772_359_200_000_000)
    assert.throws(() => new TimeZone('Europe/Atlantis'), RangeError)
  })
})

it('durations are read in their unit or as a clock', () => {
  assert.equal(readDurationUs('42', 's'), 42_000_000)
  assert.equal(readDurationUs('0.783', 's'), 783_000)
  assert.equal(readDurationUs('20600', 'ms'), 20_600_000)
  assert.equal(readDurationUs('00:01:42', 's'), 102_000_000)
  assert.equal(readDurationUs('1:42.25', 's'), 102_250_000)
  assert.equal(readDurationUs('long', 's'), null)
})
