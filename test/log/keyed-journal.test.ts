/** What is true now of things with a key: what was written is told as written, whatever becomes of tidying up. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { KeyedJournal } from '../../src/log/keyed-journal.ts'
import { MemoryLog } from '../fakes/memory-log.ts'

const form = {
  keyOf: ({ key }: { key: string }) => key,
  isKept: ({ over }: { over: boolean }) => !over,
  toEntry: (value: { key: string; over: boolean }) => Buffer.from(JSON.stringify(value)),
  fromEntry: (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString()) as { key: string; over: boolean },
}

/** A log that has room for one entry at a time only. */
class FullLog extends MemoryLog {
  override append(batch: readonly Uint8Array[]): Promise<number> {
    if (batch.length > 1) return Promise.reject(new Error('no space left'))
    return super.append(batch)
  }
}

describe('a journal of things with a key', () => {
  it('is written anew when far more was written than is kept; what is kept is read by the next start', async () => {
    const log = new MemoryLog()
    const journal = new KeyedJournal(log, form)
    await journal.write({ key: 'a', over: false })
    await journal.write({ key: 'b', over: false })
    for (let n = 0; n < 1100; n += 1) await journal.write({ key: 'c', over: n === 1099 })
    assert.ok(log.end() - log.cursor('live') < 200)
    assert.deepEqual(
      new KeyedJournal(log, form).read().map(({ key }) => key),
      ['a', 'b'],
    )
  })

  it('says that a thing is on disk although there was no room to write the others anew', async () => {
    const log = new FullLog()
    const journal = new KeyedJournal(log, form)
    for (let n = 0; n < 1100; n += 1) await journal.write({ key: `${n % 3}`, over: false })
    assert.deepEqual(new KeyedJournal(log, form).read().length, 3)
  })
})
