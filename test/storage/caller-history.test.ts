import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualClock } from '../../src/core/clock.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { CallerHistories } from '../../src/storage/caller-history.ts'

function house() {
  const clock = new ManualClock()
  const counters = zeroCounters()
  const asked: { number: string; answer(rows: Record<string, unknown>[]): void; fail(): void }[] = []
  const store = {
    query: (_: string, { number }: Record<string, string | number>) =>
      new Promise<Record<string, unknown>[]>((resolve, reject) => {
        asked.push({ number: String(number), answer: resolve, fail: () => reject(new Error('down')) })
      }),
  }
  return { clock, counters, asked, histories: new CallerHistories({ store, clock, counters }) }
}

const row = { attempts: '4', answered: '2', talk_ms: '180000', called: '2' }
const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('looking up callers', () => {
  it('asks about a number once a minute, however often it calls', async () => {
    const { clock, asked, histories } = house()
    const [one, two] = [histories.of('12025550123'), histories.of('12025550123')]
    asked[0]?.answer([row])
    assert.deepEqual(await one, { days: 30, attempts: 4, answered: 2, talkMs: 180_000, distinctCalled: 2 })
    assert.deepEqual(await two, await one)
    assert.equal(asked.length, 1)
    clock.advance(60_001)
    void histories.of('12025550123')
    assert.equal(asked.length, 2)
  })

  it('asks two questions at a time; others wait for their turn', async () => {
    const { asked, histories } = house()
    const all = ['1', '2', '3', '4'].map((number) => histories.of(number))
    assert.equal(asked.length, 2)
    asked[0]?.answer([row])
    await settled()
    assert.equal(asked.length, 3)
    asked[1]?.fail()
    await settled()
    assert.equal(asked.length, 4)
    asked[2]?.answer([row])
    asked[3]?.answer([row])
    assert.deepEqual(
      (await Promise.all(all)).map((history) => history?.attempts),
      [4, undefined, 4, 4],
    )
  })

  it('gives up, counted, what cannot be asked or is too much; nobody is held up', async () => {
    const { asked, counters, histories } = house()
    const waiting = Array.from({ length: 202 }, (_, n) => histories.of(String(n)))
    assert.equal(await histories.of('one too many'), null)
    assert.equal(counters.callersUnknown, 1)
    asked[0]?.fail()
    assert.equal(await waiting[0], null)
    assert.equal(counters.callersUnknown, 2)
  })
})
