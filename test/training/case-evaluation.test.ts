import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { flashCallRule } from '../../src/decisions/flash-call-rule.ts'
import { type CallTruth, CaseEvaluation } from '../../src/training/case-evaluation.ts'
import { type EvaluationReport, pooled, reportOf } from '../../src/training/case-report.ts'
import type { CdrRecord } from '../../src/wire/cdr-record.ts'
import { call } from '../fakes/call-events.ts'

const cdr = loadConfig({ file: undefined, env: {} }).cdr

/** 200 calls of a range of the sender's own that are cancelled after 2 s, one a second. */
function rotatingRange(): CdrRecord[] {
  return Array.from({ length: 200 }, (_, n) =>
    call({
      from: `4477009${String((n * 37) % 1000).padStart(5, '0')}`,
      to: `491511${2_000_000 + n * 7919}`,
      atS: n,
      ringS: 2,
    }),
  )
}

async function judged(records: readonly CdrRecord[], truth: CallTruth): Promise<EvaluationReport> {
  const evaluation = new CaseEvaluation(cdr, flashCallRule, () => truth)
  for (const record of records) evaluation.record(record)
  await evaluation.advance()
  return reportOf(await evaluation.finish())
}

describe('the evaluation of cases', () => {
  it('finds a campaign that a case holds, and says after how many calls and seconds', async () => {
    const { kinds, flashCallPrAuc } = await judged(rotatingRange(), { label: 'flash_call', campaign: 'flash_call-1' })
    const { flash_call: of } = kinds
    assert.ok(of !== undefined)
    assert.deepEqual([of.campaigns, of.found, of.missed.length], [1, 1, 0])
    assert.equal(of.trueCases, of.cases)
    assert.ok(of.callsToDetection! >= 25 && of.callsToDetection! <= 60, `${of.callsToDetection} calls`)
    assert.ok(Math.abs(of.secondsToDetection! - of.callsToDetection!) <= 3, `${of.secondsToDetection} s`)
    assert.ok(of.callRecall! > 0.5 && of.callRecall! < 1)
    assert.equal(of.falsePerDay?.value, 0)
    assert.equal(flashCallPrAuc?.value, 1)
  })

  it('counts the same case as false when its calls are no campaign', async () => {
    const { kinds, falsePerDay } = await judged(rotatingRange(), { label: 'normal', campaign: 'retail' })
    const { flash_call: of } = kinds
    assert.ok(of !== undefined && of.cases >= 1)
    assert.deepEqual([of.campaigns, of.trueCases, of.precision?.value], [0, 0, 0])
    assert.equal(of.falseCases[0]?.mostly, 'retail')
    assert.ok(falsePerDay!.value > 0)
  })

  it('says of a campaign of another kind that it was found as that', async () => {
    const { kinds } = await judged(rotatingRange(), { label: 'wangiri', campaign: 'wangiri-1' })
    assert.equal(kinds.wangiri?.found, 0)
    assert.equal(kinds.wangiri?.missed[0]?.foundAs, 'flash_call')
    assert.equal(kinds.flash_call?.otherKind, kinds.flash_call?.cases)
  })

  it('tells a campaign that no case holds as missed, with its size', async () => {
    const few = rotatingRange().slice(0, 8)
    const { kinds } = await judged(few, { label: 'flash_call', campaign: 'flash_call-9' })
    const [missed] = kinds.flash_call!.missed
    assert.deepEqual([missed?.campaign, missed?.calls, missed?.foundAs], ['flash_call-9', 8, null])
  })

  it('counts records without a label, and takes them for normal', async () => {
    const evaluation = new CaseEvaluation(cdr, flashCallRule, () => undefined)
    for (const record of rotatingRange()) evaluation.record(record)
    const report = reportOf(await evaluation.finish())
    assert.equal(report.unlabelled, 200)
    assert.equal(report.kinds.flash_call?.trueCases, 0)
  })

  it('pools runs: days and campaigns add up', async () => {
    const facts = await Promise.all(
      [1, 2].map(async () => {
        const evaluation = new CaseEvaluation(cdr, flashCallRule, () => ({
          label: 'flash_call',
          campaign: 'flash_call-1',
        }))
        for (const record of rotatingRange()) evaluation.record(record)
        return evaluation.finish()
      }),
    )
    const both = reportOf(pooled(facts))
    assert.equal(both.kinds.flash_call?.campaigns, 2)
    assert.equal(both.days, facts[0]!.days + facts[1]!.days)
    assert.equal(both.calls, 400)
  })
})
