/** Changing entries of the durable log in place, and getting rid of what they were. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { describe, it, type TestContext } from 'node:test'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { ByteBudget, type DurableLog, footprintBytes } from '../../src/log/durable-log.ts'
import type { KeyTable } from '../../src/log/key-table.ts'
import { LogEnvironment } from '../../src/log/log-environment.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

const roomy = 100_000_000

function openIn(directory: string): LogEnvironment {
  return LogEnvironment.open({ directory, counters: zeroCounters(), log: silentLog })
}

function open(t: TestContext): { environment: LogEnvironment; directory: string } {
  const directory = scratchDirectory(t)
  return { environment: openIn(directory), directory }
}

function textsOf(log: DurableLog): string[] {
  return log.read(1, 100_000).map(({ bytes }) => Buffer.from(bytes).toString())
}

/** Files below a directory that hold the text. */
function filesWith(directory: string, text: string): string[] {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const paths = files.map((entry) => `${entry.parentPath}/${entry.name}`)
  return paths.filter((path) => readFileSync(path).includes(text))
}

const scrub = (_: string, payload: Uint8Array): Uint8Array | null => {
  const text = Buffer.from(payload).toString()
  return text.includes('12025550123') ? Buffer.from(text.replaceAll('12025550123', 'erased')) : null
}

describe('entries that are changed', () => {
  it('keep their numbers, readers and claims, in every log, also one that nobody has opened', async (t) => {
    const { environment, directory } = open(t)
    const budget = new ByteBudget(roomy)
    const a = environment.log('a', budget)
    a.cursor('reader')
    await a.append(['one 12025550123', 'two', 'three 12025550123'].map((text) => Buffer.from(text)))
    await a.reserve('reader', 3)
    await environment.log('b', new ByteBudget(roomy)).append([Buffer.from('12025550123')])
    await environment.close()
    const again = openIn(directory)
    assert.deepEqual(
      await again.rewrite(scrub),
      new Map([
        ['a', 2],
        ['b', 1],
      ]),
    )
    const log = again.log('a', new ByteBudget(roomy))
    assert.deepEqual(textsOf(log), ['one erased', 'two', 'three erased'])
    assert.deepEqual([log.cursor('reader'), log.reserved('reader'), log.end()], [1, 3, 4])
    assert.equal(
      log.bytes(),
      ['one erased', 'two', 'three erased'].reduce((sum, s) => sum + footprintBytes(s.length), 0),
    )
    await again.close()
  })

  it('are in no file of the log once it is compacted, and it goes on, also after a restart', async (t) => {
    const { environment, directory } = open(t)
    const log = environment.log('a', new ByteBudget(roomy))
    log.cursor('reader')
    for (let at = 0; at < 20; at += 1) {
      await log.append(
        Array.from({ length: 50 }, (_, index) => Buffer.from(`${at}/${index} 12025550123 ${'x'.repeat(at * 200)}`)),
      )
    }
    await environment.rewrite(scrub)
    assert.equal(filesWith(directory, '12025550123').length, 1, 'freed pages keep what was there')
    // Appends that come meanwhile wait and are taken.
    const [, first] = await Promise.all([environment.compact(), log.append([Buffer.from('meanwhile')])])
    assert.equal(first, 1001)
    await environment.compact()
    await log.append([Buffer.from('after')])
    assert.deepEqual(filesWith(directory, '12025550123'), [])
    await environment.close()
    assert.deepEqual(readdirSync(directory), ['log'])
    const again = openIn(directory)
    const texts = textsOf(again.log('a', new ByteBudget(roomy)))
    assert.equal(texts.length, 1002)
    assert.deepEqual(texts.slice(1000), ['meanwhile', 'after'])
    await again.close()
  })

  it('a copy opens as a log of its own, as it stood; a copy that was cut off is removed', async (t) => {
    const { environment, directory } = open(t)
    const log = environment.log('a', new ByteBudget(roomy))
    await log.append([Buffer.from('before')])
    const copies = scratchDirectory(t)
    await environment.copyTo(`${copies}/log`)
    await log.append([Buffer.from('later')])
    await environment.close()
    const copy = openIn(copies)
    assert.deepEqual([copy.id, textsOf(copy.log('a', new ByteBudget(roomy)))], [environment.id, ['before']])
    await copy.close()
    mkdirSync(`${directory}/log-copy-0badcafe`)
    await openIn(directory).close()
    assert.equal(existsSync(`${directory}/log-copy-0badcafe`), false)
  })
})

/** A thousand values of 1500 bytes, replaced in one transaction. */
function writeAll(table: KeyTable, generation: number): Promise<void> {
  return table.commit(({ put }) => {
    for (let key = 0; key < 1000; key += 1) put(String(key), Buffer.from(`${generation} `.padEnd(1500, 'x')))
  })
}

describe('a log that was compacted', () => {
  it('takes a change of all that is in it at once, also where the copy is opened as a log of its own', async (t) => {
    const { environment, directory } = open(t)
    await writeAll(environment.table('numbers'), 0)
    const copies = scratchDirectory(t)
    await environment.copyTo(`${copies}/log`)
    await environment.compact()
    await writeAll(environment.table('numbers'), 1)
    await environment.close()
    for (const each of [directory, copies]) {
      const again = openIn(each)
      const table = again.table('numbers')
      await writeAll(table, 2)
      assert.equal(
        Buffer.from(table.get('999') ?? [])
          .toString()
          .slice(0, 2),
        '2 ',
      )
      await again.close()
    }
  })

  it('has its lock file beside it, by which readers in other processes are seen', async (t) => {
    const { environment, directory } = open(t)
    await environment.compact()
    const mapped = readFileSync('/proc/self/maps', 'utf8').split('\n')
    const ours = mapped.filter((line) => line.includes(directory)).map((line) => line.slice(line.indexOf('/')))
    assert.deepEqual([...new Set(ours)].sort(), [`${directory}/log/data.mdb`, `${directory}/log/lock.mdb`])
    await environment.close()
  })

  it('leaves no half copy behind when the disk refuses, and goes on as it was', async (t) => {
    const { environment, directory } = open(t)
    const log = environment.log('a', new ByteBudget(roomy))
    await log.append([Buffer.from('one')])
    const copyTo = environment.copyTo.bind(environment)
    environment.copyTo = async (path) => {
      await copyTo(path)
      throw new Error('no space left')
    }
    await assert.rejects(environment.compact(), /no space left/)
    assert.deepEqual(
      readdirSync(directory).filter((name) => name.startsWith('log-copy-')),
      [],
    )
    await log.append([Buffer.from('two')])
    assert.deepEqual(textsOf(log), ['one', 'two'])
    await environment.close()
  })
})
