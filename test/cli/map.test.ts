import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { Readable, Writable } from 'node:stream'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { type MapOptions, runMap } from '../../src/cli/map.ts'
import { projectRoot } from '../../src/core/project.ts'
import { lastingDirectory } from '../fakes/scratch.ts'

const fixtures = `${projectRoot}fixtures/cdr`
const directory = lastingDirectory()

/** A stream that keeps what is written, or only counts it. */
class Sink extends Writable {
  text = ''
  bytes = 0
  readonly #keep: boolean

  constructor(keep = true) {
    super()
    this.#keep = keep
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.bytes += chunk.length
    if (this.#keep) this.text += chunk.toString()
    setImmediate(done)
  }

  get lines(): string[] {
    return this.text.split('\n').filter((line) => line !== '')
  }
}

interface Result {
  readonly code: number
  readonly records: Record<string, unknown>[]
  readonly problems: string[]
  readonly last: string
}

async function map(options: Partial<MapOptions> & { file: string; source: string }): Promise<Result> {
  const stdout = new Sink()
  const stderr = new Sink()
  const code = await runMap({ json: false, ...options, stdout, stderr })
  const problems = stderr.lines
  const last = problems.pop() ?? ''
  return { code, records: stdout.lines.map((line) => JSON.parse(line) as Record<string, unknown>), problems, last }
}

describe('map', () => {
  it('prints canonical records, then rejected ones by line, code and field, then the counts', async () => {
    const { code, records, problems, last } = await map({
      file: `${fixtures}/asterisk-csv.csv`,
      source: 'asterisk-csv',
    })
    assert.equal(code, 0)
    assert.deepEqual(
      records.map((record) => record['startUs']).slice(0, 3),
      [1_772_359_200_000_000, 1_772_359_260_000_000, 1_772_359_270_000_000],
    )
    assert.deepEqual(
      problems.map((line) => Object.keys(JSON.parse(line) as object)),
      [['line', 'code', 'detail']],
    )
    assert.match(last, /^source=asterisk-csv read=9 mapped=8 rejected=1 skipped=0 joinedRows=0 attempts=7 answered=5 /)
  })

  it('--json gives the counts as one object', async () => {
    const { last } = await map({ file: `${fixtures}/twilio.txt`, source: 'twilio', json: true })
    assert.deepEqual(JSON.parse(last), {
      source: 'twilio',
      read: 12,
      mapped: 5,
      rejected: 2,
      skipped: 0,
      joinedRows: 5,
      attempts: 5,
      answered: 2,
      rejectedBy: { time_unreadable: 1, join_incomplete: 1 },
      skippedBy: {},
      flags: { start_from_end: 2, from_withheld: 1, start_from_answer: 1 },
    })
  })

  it('gzip and stdin are taken as they are', async () => {
    const plain = readFileSync(`${fixtures}/cucm.csv`)
    const zipped = `${directory}/cucm.csv.gz`
    writeFileSync(zipped, gzipSync(plain))
    const expected = (await map({ file: `${fixtures}/cucm.csv`, source: 'cucm' })).records
    assert.deepEqual((await map({ file: zipped, source: 'cucm' })).records, expected)
    // One byte at a time, as a slow pipe would.
    const input = Readable.from([...plain].map((byte) => Buffer.from([byte])))
    assert.deepEqual((await map({ file: '-', source: 'cucm', input })).records, expected)
  })

  it('a mapping file of the user works by its path', async () => {
    const path = `${directory}/mine.yaml`
    writeFileSync(path, 'extends: asterisk-csv\ntimeZone: America/New_York\n')
    const { records } = await map({ file: `${fixtures}/asterisk-csv.csv`, source: path })
    assert.equal(records[0]?.['source'], 'mine')
    assert.equal(records[0]?.['startUs'], Date.UTC(2026, 2, 1, 15) * 1000)
  })

  it('bad usage is 2, a file of nothing but rejections is 1, an empty file is 0', async () => {
    assert.equal((await map({ file: `${fixtures}/cucm.csv`, source: 'no-such' })).code, 2)
    assert.equal((await map({ file: `${directory}/no-such.csv`, source: 'cucm' })).code, 2)
    assert.equal((await map({ file: `${fixtures}/cucm.csv`, source: 'cucm', format: 'morse' })).code, 2)
    const bad = `${directory}/bad.ndjson`
    writeFileSync(bad, 'not json\n')
    assert.equal((await map({ file: bad, source: 'freeswitch', format: 'ndjson' })).code, 1)
    const empty = `${directory}/empty.csv`
    writeFileSync(empty, '')
    assert.equal((await map({ file: empty, source: 'cucm' })).code, 0)
    const broken = `${directory}/broken.gz`
    writeFileSync(broken, gzipSync('x'.repeat(100_000)).subarray(0, 60))
    assert.equal((await map({ file: broken, source: 'cucm' })).code, 1)
  })

  it('a reader that goes away, as head does, ends it without an error', async () => {
    const stdout = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
    })
    const stderr = new Sink()
    const file = `${fixtures}/asterisk-csv.csv`
    assert.equal(await runMap({ file, source: 'asterisk-csv', json: false, stdout, stderr }), 0)
  })

  it('a long input passes through in bounded memory', async () => {
    const header = 'id,start,from,to,duration\n'
    const chunk = Buffer.from(
      Array.from({ length: 500 }, (_, i) => `${i},1772359200,12025550123,442079460123,9\n`).join(''),
    )
    const chunks = 400
    function* bytes(): Generator<Buffer> {
      yield Buffer.from(header)
      for (let sent = 0; sent < chunks; sent++) yield chunk
    }
    const stdout = new Sink(false)
    const stderr = new Sink()
    const before = process.memoryUsage().arrayBuffers
    let most = 0
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().arrayBuffers - before)
    }, 20)
    const code = await runMap({
      file: '-',
      source: 'generic-csv',
      json: true,
      input: Readable.from(bytes()),
      stdout,
      stderr,
    })
    clearInterval(watch)
    const counts = JSON.parse(stderr.lines.at(-1) ?? '{}') as { mapped: number }
    assert.deepEqual([code, counts.mapped], [0, 500 * chunks])
    assert.ok(stdout.bytes > 50_000_000)
    assert.ok(most < 40_000_000, `${most} bytes of buffers held at once`)
  })
})
