import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { runMap } from '../../src/cli/map.ts'
import { type SimulateCdrOptions, simulateCdr } from '../../src/cli/simulate-cdr.ts'
import { systemClock } from '../../src/core/clock.ts'
import { OperatingError } from '../../src/core/errors.ts'
import { capturedTerminal } from '../fakes/captured-terminal.ts'
import { cdrServer } from '../fakes/cdr-server.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

const usual: Omit<SimulateCdrOptions, 'records' | 'out'> = {
  rate: 10,
  seconds: 1800,
  seed: 3,
  plan: 'train',
  dirt: false,
  json: false,
}

async function simulate(context: TestContext, more: Partial<SimulateCdrOptions> = {}) {
  const folder = scratchDirectory(context)
  const [records, out] = [join(folder, 'cdr.ndjson'), join(folder, 'labels.csv')]
  const terminal = capturedTerminal()
  const code = await simulateCdr({ clock: systemClock, terminal }, { ...usual, records, out, ...more })
  assert.equal(code, 0, terminal.err.join('\n'))
  const linesOf = (path: string) => readFileSync(path, 'latin1').trimEnd().split('\n')
  return { records, recordLines: linesOf(records), labelLines: linesOf(out), terminal }
}

test('every record has its label, under the same id and in the same order', async (context) => {
  const { recordLines, labelLines } = await simulate(context)
  assert.equal(labelLines[0], 'id,label,campaign,subject')
  assert.deepEqual(
    labelLines.slice(1).map((line) => line.split(',')[0]),
    recordLines.map((line) => JSON.parse(line).id),
  )
  assert.ok(labelLines.every((line) => line.split(',').length === 4))
})

test('files of the same seed are equal byte by byte', async (context) => {
  const [one, other] = [await simulate(context, { dirt: true }), await simulate(context, { dirt: true })]
  assert.deepEqual(one.recordLines, other.recordLines)
  assert.deepEqual(one.labelLines, other.labelLines)
})

test('`map --source canonical` accepts every clean record', async (context) => {
  const { records, recordLines } = await simulate(context)
  const said: string[] = []
  const sink = (keep: boolean) =>
    new Writable({
      write(chunk, _encoding, done) {
        if (keep) said.push(String(chunk))
        done()
      },
    })
  const code = await runMap({ file: records, source: 'canonical', json: true, stdout: sink(false), stderr: sink(true) })
  assert.equal(code, 0)
  const counts = JSON.parse(said.join('').trim().split('\n').at(-1) ?? '')
  assert.deepEqual([counts.read, counts.mapped, counts.rejected], [recordLines.length, recordLines.length, 0])
})

test('the table counts what the label file holds', async (context) => {
  const { labelLines, terminal } = await simulate(context, { json: true, prevalence: { flash_call: 0.05 } })
  const report = JSON.parse(terminal.out[0] ?? '')
  for (const kind of ['flash_call', 'robocall', 'wangiri']) {
    const labels = labelLines.filter((line) => line.split(',')[1] === kind).length
    assert.equal(report.rows.find((row: { label: string }) => row.label === kind).attempts, labels, kind)
  }
  assert.equal(report.rows.find((row: { label: string }) => row.label === 'flash_call').attempts, 900)
})

test('the table names labels, traffic, shares, and the defects that were made', async (context) => {
  const { terminal } = await simulate(context, { dirt: true })
  const text = terminal.out.join('\n')
  assert.match(text, /^label +traffic +campaigns +attempts +share +answered$/m)
  assert.match(text, /^normal +retail +\d+ +\d+\.\d\d % +\d+\.\d\d %$/m)
  assert.match(text, /^flash_call +flash_call +\d+ +180 +1\.0\d %/m)
  assert.match(text, /^defects: duplicate \d+, late \d+, .*bad_field \d+$/m)
  assert.match(text, /^\d+ records, \d+ attempts, \d+ records\/s$/m)
})

test('repeated records have one label, and records nobody can accept have none', async (context) => {
  const { recordLines, labelLines, terminal } = await simulate(context, { dirt: true, json: true })
  const { defects } = JSON.parse(terminal.out[0] ?? '')
  assert.equal(labelLines.length - 1, recordLines.length - defects.duplicate - defects.bad_field)
})

test('a file that cannot be written is told', async (context) => {
  await assert.rejects(simulate(context, { records: '/nowhere/at/all.ndjson' }), (thrown: unknown) => {
    return thrown instanceof OperatingError && thrown.message.includes('/nowhere/at/all.ndjson cannot be written')
  })
})

test('to a server, in real time: every record sent is accepted, a duplicate, or rejected', async (context) => {
  const server = await cdrServer()
  context.after(() => server.close())
  for (const scheme of ['http', 'ws']) {
    server.ids.clear()
    const url = `${scheme}://127.0.0.1:${server.port}`
    const more = { url, rate: 2000, seconds: 1.5, json: true, dirt: true }
    const { recordLines, terminal } = await simulate(context, more)
    const { load, defects } = JSON.parse(terminal.out[0] ?? '')
    assert.equal(load.sent, recordLines.length)
    assert.equal(load.sent, load.accepted + load.duplicates + load.rejected)
    assert.equal(load.rejected, defects.bad_field)
    assert.equal(load.accepted, server.ids.size)
  }
})

test('a run without a file and without a server is refused', async () => {
  const context = { clock: systemClock, terminal: capturedTerminal() }
  await assert.rejects(simulateCdr(context, usual), (thrown: unknown) => {
    return thrown instanceof OperatingError && thrown.code === 'config_invalid'
  })
})
