/** The durable log: order, cursors, bytes, damage, and what is still there after a kill. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import * as fc from 'fast-check'
import type { OperatingError } from '../../src/core/errors.ts'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { ByteBudget, type DurableLog, footprintBytes } from '../../src/log/durable-log.ts'
import { LogEnvironment } from '../../src/log/log-environment.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

const roomy = 100_000_000

function bytesOf(text: string): Uint8Array {
  return Buffer.from(text)
}

function textsOf(log: DurableLog, from = 1, max = 1000, bytesMax?: number): string[] {
  return log.read(from, max, bytesMax).map((entry) => Buffer.from(entry.bytes).toString('utf8'))
}

function openIn(directory: string, counters = zeroCounters()): LogEnvironment {
  return LogEnvironment.open({ directory, counters, log: silentLog })
}

function open(t: TestContext): { environment: LogEnvironment; directory: string } {
  const directory = scratchDirectory(t)
  const environment = openIn(directory)
  t.after(() => environment.close())
  return { environment, directory }
}

describe('the durable log', () => {
  it('gives back entries in the order they were appended, numbered without holes', async (t) => {
    const log = open(t).environment.log('a', new ByteBudget(roomy))
    const firsts = await Promise.all([log.append([bytesOf('x'), bytesOf('y')]), log.append([bytesOf('z')])])
    assert.deepEqual(firsts, [1, 3])
    assert.deepEqual(textsOf(log), ['x', 'y', 'z'])
    assert.deepEqual(textsOf(log, 2, 1), ['y'])
    assert.equal(log.end(), 4)
  })

  it('reads at most the bytes asked for, but never nothing', async (t) => {
    const log = open(t).environment.log('a', new ByteBudget(roomy))
    await log.append([bytesOf('12345'), bytesOf('67890'), bytesOf('x')])
    assert.deepEqual(textsOf(log, 1, 10, 10), ['12345', '67890'])
    assert.deepEqual(textsOf(log, 1, 10, 1), ['12345'])
  })

  it('keeps named logs of one environment apart', async (t) => {
    const { environment } = open(t)
    const a = environment.log('a', new ByteBudget(roomy))
    const b = environment.log('b', new ByteBudget(roomy))
    await Promise.all([a.append([bytesOf('of a')]), b.append([bytesOf('of b')])])
    assert.deepEqual([textsOf(a), textsOf(b)], [['of a'], ['of b']])
  })

  it('keeps nothing for a reader that is forgotten, also after a restart', async (t) => {
    const { environment, directory } = open(t)
    const log = environment.log('a', new ByteBudget(roomy))
    log.cursor('stays')
    log.cursor('gone')
    await log.append([bytesOf('1'), bytesOf('2')])
    await log.advance('stays', 2)
    assert.deepEqual(log.readers(), ['stays', 'gone'])
    await log.forget('gone')
    await log.forget('gone')
    assert.deepEqual([log.readers(), textsOf(log)], [['stays'], ['2']])
    await environment.close()
    const again = openIn(directory)
    t.after(() => again.close())
    const reopened = again.log('a', new ByteBudget(roomy))
    assert.deepEqual([reopened.readers(), textsOf(reopened)], [['stays'], ['2']])
  })

  it('lets go of entries once every cursor has passed them, and never uses a number twice', async (t) => {
    const { environment, directory } = open(t)
    const log = environment.log('a', new ByteBudget(roomy))
    log.cursor('fast')
    log.cursor('slow')
    await log.append([bytesOf('1'), bytesOf('2'), bytesOf('3')])
    await log.advance('fast', 4)
    assert.deepEqual(textsOf(log), ['1', '2', '3'])
    await log.advance('slow', 3)
    assert.deepEqual(textsOf(log), ['3'])
    assert.equal(log.bytes(), footprintBytes(1))
    await log.advance('slow', 4)
    assert.equal(log.bytes(), 0)
    const id = environment.id
    await environment.close()
    const again = openIn(directory)
    t.after(() => again.close())
    const reopened = again.log('a', new ByteBudget(roomy))
    assert.equal(again.id, id)
    assert.deepEqual([reopened.cursor('slow'), reopened.end(), reopened.bytes()], [4, 4, 0])
    assert.equal(await reopened.append([bytesOf('4')]), 4)
  })

  it('remembers a claimed batch over a restart until the cursor passes it', async (t) => {
    const { environment, directory } = open(t)
    const log = environment.log('a', new ByteBudget(roomy))
    log.cursor('store')
    await log.append([bytesOf('1'), bytesOf('2'), bytesOf('3')])
    await log.reserve('store', 3)
    await environment.close()
    const again = openIn(directory)
    t.after(() => again.close())
    const reopened = again.log('a', new ByteBudget(roomy))
    assert.equal(reopened.reserved('store'), 3)
    await reopened.advance('store', 3)
    assert.equal(reopened.reserved('store'), null)
  })

  it('refuses what its budget has no room for, all of it, and takes again when room is made', async (t) => {
    const { environment } = open(t)
    const budget = new ByteBudget(3 * footprintBytes(100))
    const log = environment.log('a', budget)
    const other = environment.log('b', budget)
    log.cursor('r')
    const entry = Buffer.alloc(100)
    await log.append([entry, entry])
    assert.equal(log.hasRoom(100), true)
    await assert.rejects(log.append([entry, entry]), (thrown) => (thrown as OperatingError).code === 'spool_full')
    await other.append([entry])
    assert.equal(log.hasRoom(100), false)
    await assert.rejects(log.append([entry]), (thrown) => (thrown as OperatingError).code === 'spool_full')
    await log.advance('r', 2)
    assert.equal(await log.append([entry]), 3)
  })

  it('is the same after any series of appends, advances and restarts as a plain list', async (t) => {
    const { directory, environment } = open(t)
    await environment.close()
    let run = 0
    const step = fc.oneof(
      fc.record({ kind: fc.constant('append' as const), sizes: fc.array(fc.nat(3000), { maxLength: 5 }) }),
      fc.record({ kind: fc.constant('advance' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
      fc.record({ kind: fc.constant('reopen' as const) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const name = `model${run++}`
        let live = openIn(directory)
        let log = live.log(name, new ByteBudget(roomy))
        log.cursor('r')
        const model: { seq: number; text: string }[] = []
        let next = 1
        let cursor = 1
        for (const action of steps) {
          if (action.kind === 'append') {
            const texts = action.sizes.map((size, index) => `${next + index}:`.padEnd(size, '.'))
            assert.equal(await log.append(texts.map(bytesOf)), next)
            for (const text of texts) model.push({ seq: next++, text })
          } else if (action.kind === 'advance') {
            cursor += Math.floor((next - cursor) * action.share)
            await log.advance('r', cursor)
          } else {
            await live.close()
            live = openIn(directory)
            log = live.log(name, new ByteBudget(roomy))
          }
          const kept = model.filter((entry) => entry.seq >= cursor)
          assert.deepEqual(
            textsOf(log),
            kept.map((entry) => entry.text),
          )
          assert.equal(
            log.bytes(),
            kept.reduce((sum, entry) => sum + footprintBytes(entry.text.length), 0),
          )
        }
        await live.close()
      }),
      { numRuns: 12 },
    )
  })
})

describe('a log whose file ends before its last page', () => {
  it('is whole when nothing was written there: what it holds is there after a restart', async (t) => {
    const { environment, directory } = open(t)
    await environment.close()
    const sizes = [2856, 5, 2405, 605, 1347, 1217, 536, 1594]
    const texts = sizes.map((size, index) => `${1 + index}:`.padEnd(size, '.'))
    let live = openIn(directory)
    live.log('a', new ByteBudget(roomy)).cursor('r')
    for (const from of [0, 4]) {
      await live.log('a', new ByteBudget(roomy)).append(texts.slice(from, from + 4).map(bytesOf))
      if (from === 0) await live.close()
      if (from === 0) live = openIn(directory)
    }
    await live.log('a', new ByteBudget(roomy)).advance('r', 8)
    await live.close()
    const again = openIn(directory)
    t.after(() => again.close())
    assert.deepEqual(textsOf(again.log('a', new ByteBudget(roomy))), [texts[7]])
  })
})

describe('a damaged log', () => {
  it('puts an entry with a flipped byte into quarantine, counts it, and goes on with the rest', async (t) => {
    const { environment, directory } = open(t)
    await environment
      .log('a', new ByteBudget(roomy))
      .append([bytesOf('good-1'), bytesOf('VICTIM-ENTRY'), bytesOf('good-2')])
    await environment.close()
    flip(`${directory}/log/data.mdb`, 'VICTIM-ENTRY')
    const counters = zeroCounters()
    const again = openIn(directory, counters)
    t.after(() => again.close())
    const log = again.log('a', new ByteBudget(roomy))
    log.cursor('r')
    assert.deepEqual(textsOf(log), ['good-1', 'good-2'])
    assert.deepEqual(textsOf(log), ['good-1', 'good-2'])
    assert.equal(counters.logEntriesCorrupt, 1)
    assert(readdirSync(directory).includes('quarantine-a-2.bin'))
    await log.advance('r', 4)
    assert.equal(log.bytes(), 0)
  })

  const damages: [string, (file: Buffer) => Buffer][] = [
    ['no database at all', () => Buffer.alloc(65_536, 0x5a)],
    ['all zeros', (file) => Buffer.alloc(file.length)],
    ['cut short', (file) => file.subarray(0, file.length - 8192)],
    // Here that page holds nothing but the list of free pages, which no reader of entries would miss.
    ['cut short by its last page', (file) => file.subarray(0, file.length - 4096)],
    ['shorter than its meta pages', (file) => file.subarray(0, 5000)],
  ]
  for (const [what, damage] of damages) {
    it(`is moved aside and begun anew under another name when the file is ${what}`, async (t) => {
      const { environment, directory } = open(t)
      const { id } = environment
      await environment.log('a', new ByteBudget(roomy)).append([Buffer.alloc(30_000), bytesOf('lost')])
      await environment.close()
      const file = `${directory}/log/data.mdb`
      writeFileSync(file, damage(readFileSync(file)))
      const counters = zeroCounters()
      const again = openIn(directory, counters)
      t.after(() => again.close())
      assert.notEqual(again.id, id)
      assert.equal(counters.logEntriesCorrupt, 1)
      assert.equal(await again.log('a', new ByteBudget(roomy)).append([bytesOf('new')]), 1)
      assert(readdirSync(directory).some((name) => name.startsWith('log.damaged-')))
    })
  }
})

function flip(file: string, text: string): void {
  const bytes = readFileSync(file)
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) bytes[at + 3] = (bytes[at + 3] ?? 0) ^ 4
  writeFileSync(file, bytes)
}

describe('a process killed while it appends', () => {
  it('loses nothing that it had acknowledged, and nothing is half there', async (t) => {
    const directory = scratchDirectory(t)
    const script = fileURLToPath(new URL('../fakes/appender.js', import.meta.url))
    const acknowledged = new Set<string>()
    for (let round = 0; round < 4; round += 1) {
      const child = fork(script, [directory, String(round)])
      await acknowledgements(child, acknowledged, 40 + round * 17)
    }
    const environment = openIn(directory)
    t.after(() => environment.close())
    const texts = textsOf(environment.log('a', new ByteBudget(roomy)), 1, 1_000_000)
    const found = new Set(texts.map((text) => text.slice(0, text.indexOf(' '))))
    assert.equal(found.size, texts.length)
    for (const name of acknowledged) assert(found.has(name), `${name} was acknowledged and is gone`)
    for (const text of texts) {
      const [name = '', digest] = text.split(' ')
      assert.equal(digest, createHash('sha256').update(name).digest('hex'))
    }
  })
})

describe('a log that another process uses', () => {
  it('is refused while that process lives, and taken over when it was killed', async (t) => {
    const directory = scratchDirectory(t)
    const child = fork(fileURLToPath(new URL('../fakes/appender.js', import.meta.url)), [directory, '0'])
    await new Promise((done) => child.once('message', done))
    assert.throws(
      () => openIn(directory),
      (thrown) => {
        assert.match(String(thrown), new RegExp(`in use by process ${child.pid}`))
        return (thrown as OperatingError).code === 'config_invalid'
      },
    )
    const gone = new Promise((done) => child.once('exit', done))
    child.kill('SIGKILL')
    await gone
    const environment = openIn(directory)
    assert(environment.log('a', new ByteBudget(roomy)).end() > 1)
    await environment.close()
    assert(!readdirSync(directory).includes('owner'))
  })
})

describe('a disk that is full', () => {
  it('refuses the append and says why, keeps what it acknowledged, and goes on when there is room', (t) => {
    const script = fileURLToPath(new URL('../fakes/disk-filler.js', import.meta.url))
    const directory = scratchDirectory(t)
    // A file may have 4 MiB (blocks of 1 KiB); the kernel then refuses as a full disk does.
    const command = 'ulimit -f 4096; exec "$0" "$1" "$2" 2>/dev/null'
    const said = execFileSync('bash', ['-c', command, process.execPath, script, directory], { encoding: 'utf8' })
    const found = JSON.parse(said) as { acknowledged: number; refusal: string; readable: number; attempts: number }
    assert(found.acknowledged > 5 && found.acknowledged < 25, said)
    assert.match(found.refusal, /the disk refuses the log/)
    assert.equal(found.readable, found.acknowledged)
    assert(found.attempts < 20, said)
  })
})

/** Collects acknowledged names and kills the child in the middle of its work. */
async function acknowledgements(child: ChildProcess, into: Set<string>, count: number): Promise<void> {
  let seen = 0
  await new Promise<void>((done) => {
    child.on('exit', () => done())
    child.on('message', (names: string[]) => {
      for (const name of names) into.add(name)
      seen += 1
      if (seen === count) child.kill('SIGKILL')
    })
  })
}
