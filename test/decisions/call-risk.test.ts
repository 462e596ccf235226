import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { type CallerHistory, callRisk, type KnownCase, type Signalling } from '../../src/decisions/call-risk.ts'

const weights = {
  stir: { passedA: -0.7, passedB: -0.2, passedC: 0, failed: 1.4, none: 0 },
  cases: {
    flash_call: 0.7,
    wangiri: 1,
    irsf: 0.7,
    robocall: 1.6,
    pbx_hack: 0.7,
    cli_spoof: 1.6,
    short_answer_burst: 0.7,
    anomaly: 0.2,
  },
  subjects: { number: 1, range: 0.6, route: 0.3 },
  history: { talker: -0.7, dialler: 0.7 },
  signallingMax: 2.5,
}

const nothing: Signalling = { stirVerstat: '', cases: [], history: null }

function knownCase(over: Partial<KnownCase> = {}): KnownCase {
  const subject = { type: 'number', value: '12025550123' } as const
  return { id: 'c1', kind: 'robocall', subject, state: 'open', score: 1, verdict: null, ...over }
}

function weightOf(signalling: Signalling, code: string): number | undefined {
  return callRisk(0.5, signalling, weights).parts.find((part) => part.code === code)?.logOdds
}

describe("a call's risk", () => {
  it("is the voice's score where nothing else is known", () => {
    assert.equal(callRisk(0.9, nothing, weights).score, 0.9)
    assert.equal(callRisk(0.2, nothing, weights).score, 0.2)
  })

  it('is even odds before anything was heard or known', () => {
    assert.equal(callRisk(null, nothing, weights).score, 0.5)
  })

  it('multiplies odds: 9 : 1 by the voice, 4.95 : 1 by a robocall case, halved by attestation A', () => {
    const signalling = { ...nothing, stirVerstat: 'TN-Validation-Passed-A', cases: [knownCase()] }
    const risk = callRisk(0.9, signalling, weights)
    const odds = 9 * Math.exp(1.6) * Math.exp(-0.7)
    assert.ok(Math.abs(risk.score - odds / (1 + odds)) < 1e-4)
    const sum = risk.parts.reduce((total, part) => total + part.logOdds, 0)
    assert.ok(Math.abs(sum - risk.logOdds) < 1e-3, 'the parts add up to the whole')
    assert.match(risk.parts.map((part) => part.text).join('\n'), /attestation A\): odds x0\.50/)
    assert.match(risk.parts.map((part) => part.text).join('\n'), /robocall case on the caller's number.*: odds x4\.95/)
  })

  it('weighs a case less on the range, least on the route, and a cooled one half', () => {
    const on = (type: KnownCase['subject']['type'], state: KnownCase['state'] = 'open') =>
      weightOf({ ...nothing, cases: [knownCase({ subject: { type, value: 'x' }, state })] }, 'case_robocall')
    assert.equal(on('number'), 1.6)
    assert.equal(on('range'), 0.96)
    assert.equal(on('route'), 0.48)
    assert.equal(on('route_destination'), 0.48)
    assert.equal(on('number', 'cooled'), 0.8)
  })

  it('leaves out what is over, what a person dismissed, and cases on called numbers', () => {
    const out = [
      knownCase({ state: 'closed' }),
      knownCase({ state: 'merged' }),
      knownCase({ verdict: 'dismissed' }),
      knownCase({ subject: { type: 'called_number', value: '442079460123' } }),
    ]
    assert.equal(weightOf({ ...nothing, cases: out }, 'case_robocall'), undefined)
  })

  it('counts the strongest case of a kind once', () => {
    const range = { type: 'range', value: '12025550' } as const
    const cases = [knownCase({ subject: range }), knownCase(), knownCase({ score: 0.5 })]
    const risk = callRisk(0.5, { ...nothing, cases }, weights)
    assert.equal(risk.logOdds, 1.6)
  })

  it('never lets signalling count more than its bound, either way', () => {
    const cases = (['robocall', 'cli_spoof', 'wangiri'] as const).map((kind) => knownCase({ kind }))
    const risk = callRisk(0.5, { ...nothing, stirVerstat: 'TN-Validation-Failed-C', cases }, weights)
    assert.equal(risk.logOdds, 2.5)
    assert.ok(risk.parts.some((part) => part.code === 'signalling_bounded'))
    assert.ok(callRisk(0.01, { ...nothing, cases }, weights).score < 0.5, 'a human voice has the last word')
  })

  it('hears the records: a talker speaks for a person, a dialler against, few calls say nothing', () => {
    const history = (over: Partial<CallerHistory>): Signalling => ({
      ...nothing,
      history: { days: 30, attempts: 0, answered: 0, talkMs: 0, distinctCalled: 0, ...over },
    })
    const talks = history({ attempts: 10, answered: 8, talkMs: 8 * 120_000, distinctCalled: 3 })
    assert.equal(weightOf(talks, 'history_talker'), -0.7)
    const dials = history({ attempts: 500, answered: 60, talkMs: 60 * 8000, distinctCalled: 480 })
    assert.equal(weightOf(dials, 'history_dialler'), 0.7)
    assert.equal(
      weightOf(history({ attempts: 2, answered: 1, talkMs: 200_000, distinctCalled: 2 }), 'history_plain'),
      0,
    )
    assert.equal(weightOf(history({}), 'history_none'), 0)
    assert.equal(weightOf(nothing, 'history_unknown'), 0)
  })

  it('stays finite for scores of 0 and 1', () => {
    for (const score of [0, 1]) assert.ok(Number.isFinite(callRisk(score, nothing, weights).logOdds))
  })

  it('says nothing of who is calling', () => {
    const { risk } = loadConfig({ env: {} }).actions
    const cases = [knownCase({ subject: { type: 'number', value: '12025550123' } })]
    const text = JSON.stringify(callRisk(0.9, { ...nothing, stirVerstat: 'TN-Validation-Passed-A', cases }, risk))
    assert.doesNotMatch(text, /12025550123|identity/)
  })
})
