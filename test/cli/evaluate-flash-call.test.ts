import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { evaluateFlashCall, readLabels } from '../../src/cli/evaluate-flash-call.ts'
import { loadConfig } from '../../src/config/load.ts'
import { systemClock } from '../../src/core/clock.ts'
import { call } from '../fakes/call-events.ts'
import { capturedTerminal } from '../fakes/captured-terminal.ts'
import { scratchDirectory } from '../fakes/scratch.ts'
import { writeTinyFlashModel } from '../fakes/tiny-flash-model.ts'

const cdr = loadConfig({ file: undefined, env: {} }).cdr

/** A flash-call campaign of 200 calls; 40 calls of a family before it. */
function written(t: TestContext): { data: string; labels: string; dir: string } {
  const dir = scratchDirectory(t)
  const family = Array.from({ length: 40 }, (_, n) =>
    call({ from: '12025550101', to: '12025550102', atS: n * 20, talkS: 90 }),
  )
  const campaign = Array.from({ length: 200 }, (_, n) => {
    const from = `4477009${String((n * 37) % 1000).padStart(5, '0')}`
    return call({ from, to: `491511${2_000_000 + n * 7919}`, atS: 1000 + n, ringS: 2, route: 'trunk-f' })
  })
  const data = join(dir, 'calls.ndjson')
  const labels = join(dir, 'labels.csv')
  writeFileSync(data, [...family, ...campaign].map((each) => JSON.stringify(each)).join('\n'))
  // As the canonical source names them, columns in another order.
  const line = (id: string, label: string, name: string) => `${name},${id},,${label}`
  const lines = [
    ...family.map(({ id }) => line(id, 'normal', 'retail')),
    ...campaign.map(({ id }) => line(id, 'flash_call', 'flash_call-1')),
  ]
  writeFileSync(labels, `campaign,id,subject,label\n${lines.join('\n')}\n`)
  return { data, labels, dir }
}

async function evaluated(options: { data: string; labels: string; scorer?: string; json: boolean }) {
  const terminal = capturedTerminal()
  const code = await evaluateFlashCall({ ...options, source: 'canonical', cdr, clock: systemClock, terminal })
  return { code, printed: terminal.out.join('\n'), remarked: terminal.err.join('\n') }
}

describe('voicefw evaluate flash-call', () => {
  it('prints precision, recall, PR-AUC, alerts a day and how soon, by kind, as one JSON object', async (t) => {
    const { code, printed } = await evaluated({ ...written(t), scorer: 'rule', json: true })
    assert.equal(code, 0)
    const report = JSON.parse(printed)
    assert.deepEqual([report.scorer, report.records, report.rejected, report.unlabelled], ['rule', 240, 0, 0])
    const of = report.kinds.flash_call
    assert.deepEqual([of.campaigns, of.found, of.recall.value, of.precision.value], [1, 1, 1, 1])
    assert.ok(of.recall.low < 0.5 && of.recall.high === 1, 'one campaign says little')
    assert.ok(of.alertsPerDay.value > 0 && of.callsToDetection >= 25 && of.secondsToDetection > 0)
    assert.equal(report.flashCallPrAuc.value, 1)
    assert.equal(report.falsePerDay.value, 0)
  })

  it('scores by the model of a folder', async (t) => {
    const { dir, ...files } = written(t)
    const { code, printed } = await evaluated({ ...files, scorer: writeTinyFlashModel(dir), json: false })
    assert.equal(code, 0)
    assert.match(printed, /240 records, 0 rejected, 0\.01 days, flash calls scored by flash_call\/tiny/)
    assert.match(printed, /flash_call +1 +1 +1\.00 \[0\.21, 1\.00\]/)
  })

  it('fails when no label belongs to a record', async (t) => {
    const files = written(t)
    writeFileSync(files.labels, 'id,label,campaign\nother:1,flash_call,flash_call-1\n')
    const { code, remarked } = await evaluated({ ...files, scorer: 'rule', json: true })
    assert.equal(code, 1)
    assert.match(remarked, /240 records have no label/)
  })

  it('names the column that a label file lacks, and a file that is not there', async (t) => {
    const { labels } = written(t)
    writeFileSync(labels, 'id,campaign\n1,x\n')
    await assert.rejects(readLabels(labels, 10), /no column "label"/)
    await assert.rejects(readLabels(`${labels}.gone`, 10), /cannot be read/)
  })

  it('refuses more labels than it can hold', async (t) => {
    await assert.rejects(readLabels(written(t).labels, 100), /more than 100 labels/)
  })
})
