import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { voicePage } from '../../src/training/voice-page.ts'
import { detPlot, probit } from '../../src/training/voice-plots.ts'
import { type JudgedCall, voiceReport } from '../../src/training/voice-report.ts'

const facts = {
  netSpeechMs: 8000,
  audioMs: 9000,
  llrAfter: [1, 1, 1, 1, 1],
  alarmLlr: 1,
  endLabel: 'inconclusive' as const,
  labels: [],
}
const calls = [-2, 1, 3].map(
  (endLlr, at): JudgedCall => ({
    ...{ file: 'a.wav', isSpoof: at > 0, speaker: `s${at}`, system: at > 0 ? '<script>alert(1)</script>' : '' },
    ...{ groups: { condition: 'g&m' }, facts: { ...facts, endLlr } },
  }),
)
const report = voiceReport(calls, { thresholds: { synthetic: 0.8, human: 0.2 }, groupedBy: ['condition'], rounds: 5 })
const model = {
  ...{ name: 'voice', version: '9', sha256: 'abc', calibration: { scale: 2 }, metrics: {} },
  training: {
    data: [
      { source: 'Debian: x', licence: 'GPL-2' },
      { source: 'y', seconds: 5 },
    ],
  },
  limits: ['Not for <music>.'],
}
const page = voicePage(report, {
  model,
  label: 'voice/9',
  list: 'l.csv',
  madeAt: 'now',
  rejected: [{ line: 3, detail: 'bad' }],
})

describe('the page of a model version', () => {
  it('holds figures, plots and data sheet in one file without a script', () => {
    for (const told of [
      '<h1>voice/9</h1>',
      'Debian: x',
      'GPL-2',
      'condition g&amp;m',
      'Rejected rows',
      '<code>&quot;abc&quot;',
    ]) {
      assert.ok(page.includes(told), told)
    }
    assert.equal(page.match(/<svg /g)?.length, 2)
    assert.ok(!/src=|href=|<script|url\(/.test(page), 'nothing is fetched or run')
    assert.ok(page.includes('Not for &lt;music&gt;.'))
  })

  it('has balanced tags', () => {
    const open: string[] = []
    for (const [, slash, name = '', rest = ''] of page.matchAll(/<(\/?)([a-z0-9]+)([^>]*)>/g)) {
      if (['meta', 'line', 'rect', 'circle', 'polyline'].includes(name) && (rest.endsWith('/') || name === 'meta'))
        continue
      if (slash === '') open.push(name)
      else assert.equal(open.pop(), name)
    }
    assert.deepEqual(open, [])
  })
})

describe('the DET plot', () => {
  it('stands on the normal distribution', () => {
    // Quantiles of the standard normal distribution, from tables.
    for (const [share, deviate] of [
      [0.5, 0],
      [0.975, 1.959964],
      [0.01, -2.326348],
      [0.001, -3.090232],
      [0.84134475, 1],
    ] as const) {
      assert.ok(Math.abs(probit(share) - deviate) < 1e-6, `${share}: ${probit(share)}`)
    }
  })

  it('has a curve for each set of trials that has both classes, and a legend', () => {
    const curve = [
      { falseAlarm: 1, miss: 0 },
      { falseAlarm: 0.5, miss: 0.5 },
      { falseAlarm: 0, miss: 1 },
    ]
    const svg = detPlot({ 'end of call': curve, '8 s': [], '<b>': curve })
    assert.equal(svg.match(/<polyline/g)?.length, 2)
    assert.ok(svg.includes('end of call') && svg.includes('&lt;b&gt;') && !svg.includes('8 s'))
    assert.ok(!svg.includes('NaN') && !svg.includes('Infinity'))
  })
})
