/** What must be forgotten is remembered over a crash in the middle of writing it down. */
import assert from 'node:assert/strict'
import { appendFileSync, statSync, truncateSync } from 'node:fs'
import { describe, it } from 'node:test'
import { ErasureLedger } from '../../src/storage/erasure-ledger.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

describe('the ledger of erasures', () => {
  it('after a line that a crash cut off, takes new ones that every later start can read', (t) => {
    const directory = scratchDirectory(t)
    new ErasureLedger(directory).add('12025550123', [], 1000)
    appendFileSync(`${directory}/ledger.ndjson`, '{"id":"er_0a1b2c3d')
    const second = new ErasureLedger(directory)
    assert.equal(second.size, 1)
    second.add('12025550124', [], 2000)
    const third = new ErasureLedger(directory)
    assert.equal(third.size, 2)
    assert.deepEqual(
      ['12025550123', '12025550124', '12025550125'].map((digits) => third.has(digits)),
      [true, true, false],
    )
  })

  it('keeps a line that lacks nothing but its end', (t) => {
    const directory = scratchDirectory(t)
    new ErasureLedger(directory).add('12025550123', [], 1000)
    truncateSync(`${directory}/ledger.ndjson`, statSync(`${directory}/ledger.ndjson`).size - 1)
    new ErasureLedger(directory).add('12025550124', [], 2000)
    assert.equal(new ErasureLedger(directory).size, 2)
  })

  it('says which line is none, and how to go on', (t) => {
    const directory = scratchDirectory(t)
    new ErasureLedger(directory).add('12025550123', [], 1000)
    appendFileSync(`${directory}/ledger.ndjson`, 'hello\n')
    assert.throws(
      () => new ErasureLedger(directory),
      /ledger\.ndjson: line 2 is no erasure; put the file back as it was, or take that line out/,
    )
  })
})
