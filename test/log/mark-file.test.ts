import assert from 'node:assert/strict'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { MarkFile } from '../../src/log/mark-file.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

/** A write to the durable log that ends when `kept` is called. */
function pendingWrite(): { written: Promise<void>; kept: () => void } {
  let kept = (): void => {}
  const written = new Promise<void>((resolve) => {
    kept = resolve
  })
  return { written, kept }
}

describe('marks', () => {
  it('are there for the next process without anything having been closed, in order', (t) => {
    const file = join(scratchDirectory(t), 'marks')
    const first = new MarkFile(file)
    t.after(() => first.close())
    first.put('one', new Promise(() => {}))
    first.put('two', new Promise(() => {}))
    const second = new MarkFile(file)
    t.after(() => second.close())
    assert.deepEqual(second.read(), ['one', 'two'])
  })

  it('leave when asked, but not while the durable log lacks one', async (t) => {
    const marks = new MarkFile(join(scratchDirectory(t), 'marks'))
    t.after(() => marks.close())
    const { written, kept } = pendingWrite()
    marks.put('one', written)
    marks.clear()
    assert.deepEqual(marks.read(), ['one'])
    kept()
    await new Promise((turn) => setImmediate(turn))
    marks.clear()
    assert.deepEqual(marks.read(), [])
  })

  it('are gone once the durable log has them, so that no later start takes them for news', async (t) => {
    const marks = new MarkFile(join(scratchDirectory(t), 'marks'))
    t.after(() => marks.close())
    const { written, kept } = pendingWrite()
    marks.put('one', written)
    marks.put('two', Promise.resolve())
    await new Promise((turn) => setImmediate(turn))
    assert.deepEqual(marks.read(), ['one', 'two'], 'the log lacks one')
    kept()
    await new Promise((turn) => setImmediate(turn))
    assert.deepEqual(marks.read(), [])
  })

  it('that the durable log refused are there for the next start', async (t) => {
    const marks = new MarkFile(join(scratchDirectory(t), 'marks'))
    t.after(() => marks.close())
    marks.put('one', Promise.reject(new Error('no space left')))
    marks.put('two', Promise.resolve())
    await new Promise((turn) => setImmediate(turn))
    assert.deepEqual(marks.read(), ['one', 'two'])
  })

  it('a line that was torn does not take the next with it', (t) => {
    const file = join(scratchDirectory(t), 'marks')
    const marks = new MarkFile(file)
    t.after(() => marks.close())
    appendFileSync(file, 'to')
    marks.put('two', new Promise(() => {}))
    assert.deepEqual(marks.read(), ['to', 'two'])
  })

  it('take 4 MiB at most once the durable log has them', async (t) => {
    const marks = new MarkFile(join(scratchDirectory(t), 'marks'))
    t.after(() => marks.close())
    for (let n = 0; n < 50; n += 1) marks.put('x'.repeat(100_000), Promise.resolve())
    await new Promise((turn) => setImmediate(turn))
    assert.deepEqual(marks.read(), [])
  })
})
