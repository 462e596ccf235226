import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { zeroCounters } from '../../src/core/metrics.ts'
import { type DeadLetter, DeadLetters } from '../../src/notify/dead-letters.ts'
import { NumberSpellings } from '../../src/wire/number-spellings.ts'
import { noticeOf, scratchLogs } from '../fakes/notices.ts'

function letter(n: number, over: Partial<DeadLetter> = {}): DeadLetter {
  const diedAt = '2026-01-01T00:00:00.000Z'
  return { id: `soc.evt_${n}`, receiver: 'soc', notice: noticeOf(n), why: 'answered 400', tries: 5, diedAt, ...over }
}

function ids(letters: DeadLetters): string[] {
  return letters.list().map(({ id }) => id)
}

describe('dead letters', () => {
  it('are there after a restart, newest first, without those that were sent again', async (t) => {
    const first = scratchLogs(t)
    const letters = new DeadLetters({ log: first.log('dead'), lettersMax: 10, counters: zeroCounters() })
    await Promise.all([letters.add(letter(1)), letters.add(letter(2)), letters.add(letter(3))])
    await letters.remove('soc.evt_1')
    await letters.remove('soc.evt_2')
    await letters.add(letter(1, { why: 'answered 401' }))
    await first.close()
    const log = scratchLogs(t, first.directory).log('dead')
    const again = new DeadLetters({ log, lettersMax: 10, counters: zeroCounters() })
    assert.deepEqual(ids(again), ['soc.evt_1', 'soc.evt_3'])
    assert.equal(again.find('soc.evt_1')?.why, 'answered 401')
  })

  it('are so many at most: the oldest leaves, counted, and the disk does not grow', async (t) => {
    const log = scratchLogs(t).log('dead')
    const counters = zeroCounters()
    const letters = new DeadLetters({ log, lettersMax: 2, counters })
    for (let n = 1; n <= 20; n++) assert.equal(await letters.add(letter(n)), true)
    assert.deepEqual([ids(letters), counters.deadLettersEvicted], [['soc.evt_20', 'soc.evt_19'], 18])
    assert.equal(log.read(1, 100).length, 2)
  })

  it('make room when the disk budget is used up, and say so when even that does not help', async (t) => {
    const log = scratchLogs(t).log('dead', 1500)
    const letters = new DeadLetters({ log, lettersMax: 100, counters: zeroCounters() })
    for (let n = 1; n <= 6; n++) assert.equal(await letters.add(letter(n)), true)
    assert.equal(ids(letters)[0], 'soc.evt_6')
    assert.ok(letters.size < 6)
    assert.equal(await letters.add(letter(7, { why: 'x'.repeat(5000) })), false)
  })

  it('that are too old leave, also from disk', async (t) => {
    const first = scratchLogs(t)
    const letters = new DeadLetters({ log: first.log('dead'), lettersMax: 10, counters: zeroCounters() })
    await letters.add(letter(1))
    await letters.add(letter(2, { diedAt: '2026-02-01T00:00:00.000Z' }))
    assert.equal(await letters.expire(Date.UTC(2026, 0, 15)), 1)
    assert.deepEqual(ids(letters), ['soc.evt_2'])
    assert.equal(
      first
        .log('dead')
        .read(1, 100)
        .some(({ bytes }) => Buffer.from(bytes).includes('answered 400')),
      true,
    )
    assert.equal(first.log('dead').read(1, 100)[0]?.seq, 2)
  })

  it('forget a number, and nothing of its neighbour', async (t) => {
    const letters = new DeadLetters({ log: scratchLogs(t).log('dead'), lettersMax: 10, counters: zeroCounters() })
    await letters.add(
      letter(1, { notice: noticeOf(1, 'call/CA1', { data: { from: '+12025550123', to: '+12025550124' } }) }),
    )
    letters.erase(new NumberSpellings('12025550123'))
    assert.deepEqual(letters.list()[0]?.notice.data, { from: 'erased', to: '+12025550124' })
  })
})
