/** A record as a row of text and back: nothing is lost, and two readers of a line agree with JSON.parse. */
import { strict as assert } from 'node:assert'
import { it } from 'node:test'
import fc from 'fast-check'
import { type CdrRecord, releaseParties } from '../../src/wire/cdr-record.ts'
import { cdrColumns, decodeCdrRow, encodeCdrRow, keyOfRow, receivedMsOfRow } from '../../src/wire/cdr-row.ts'

const text = fc.string({ unit: 'grapheme', maxLength: 30 })
const some = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 })
const us = fc.integer({ min: 315_532_800_000_000, max: 4_102_444_800_000_000 })
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined })

const records: fc.Arbitrary<CdrRecord> = fc.record(
  {
    id: some,
    source: some,
    callId: some,
    leg: some,
    kind: some,
    startUs: us,
    ringUs: maybe(us),
    answerUs: fc.option(us),
    endUs: maybe(us),
    from: maybe(some),
    fromRaw: text,
    fromValid: fc.boolean(),
    to: maybe(some),
    toRaw: some,
    toValid: fc.boolean(),
    ingress: maybe(some),
    egress: maybe(some),
    causeQ850: maybe(fc.integer({ min: 1, max: 127 })),
    causeSip: maybe(fc.integer({ min: 100, max: 699 })),
    causeRaw: maybe(some),
    releasedBy: fc.constantFrom(...releaseParties),
    ringMs: maybe(fc.nat()),
    talkMs: maybe(fc.nat()),
    isAttempt: fc.boolean(),
    attributes: fc.dictionary(
      some.filter((name) => name !== '__proto__'),
      text,
      { noNullPrototype: true },
    ),
    flags: maybe(
      fc.uniqueArray(fc.constantFrom('bad_utf8' as const, 'answered_zero' as const, 'forked_leg' as const), {
        minLength: 1,
      }),
    ),
  },
  { noNullPrototype: true },
)

it('a record comes back from its row as it was, with its time of arrival', () => {
  fc.assert(
    fc.property(records, us, (record, us) => {
      const receivedMs = Math.floor(us / 1000)
      const line = encodeCdrRow(record, receivedMs, false)
      assert.deepEqual(decodeCdrRow(line), { record, receivedMs })
    }),
  )
})

it('a row is one line of as many values as the table has columns', () => {
  fc.assert(
    fc.property(records, (record) => {
      const line = encodeCdrRow(record, 1_767_225_600_000, true)
      assert.equal(line.indexOf('\n'), line.length - 1)
      assert.equal((JSON.parse(line) as unknown[]).length, cdrColumns.length)
      assert.equal(receivedMsOfRow(line), 1_767_225_600_000)
    }),
  )
})

it('the key of a row is equal when id, source, leg and kind are, whatever else differs', () => {
  fc.assert(
    fc.property(records, records, (one, other) => {
      const { id, source, leg, kind } = one
      const key = keyOfRow(encodeCdrRow(one, 1, false))
      assert.equal(keyOfRow(encodeCdrRow({ ...other, id, source, leg, kind }, 2, true)), key)
      assert.equal(
        keyOfRow(encodeCdrRow(other, 1, false)) === key,
        JSON.stringify([other.id, other.source, other.leg, other.kind]) === JSON.stringify([id, source, leg, kind]),
      )
    }),
  )
  assert.notEqual(keyOfRow('["a","b","c","d","e",0'), keyOfRow('["a","b","c","d","f",0'))
})

it('half a surrogate pair becomes U+FFFD, because ClickHouse takes no other', () => {
  const [record] = fc.sample(records, 1)
  assert.ok(record)
  const line = encodeCdrRow({ ...record, egress: 'a\ud83d', causeRaw: 'plain \\ud text' }, 1, false)
  assert.equal(decodeCdrRow(line).record.egress, 'a\uFFFD')
  assert.equal(decodeCdrRow(line).record.causeRaw, 'plain \\ud text')
})
