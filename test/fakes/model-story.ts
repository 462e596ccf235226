/** Models as a running server tells them: a voice model with a candidate, a flash-call model that drifts. */
import type { ModelView } from '../../src/worker/model-view.ts'

const sha256 = 'c6a19ec3622de40f5bfd6b7b81b6ed4946b6d58f2c3905372656f2f144e274b0'
const thresholds = { synthetic: 0.82, human: 0.2 }

const voice: ModelView = {
  name: 'voice',
  kind: 'voice',
  serving: 'voice/2',
  active: '2',
  previous: '1',
  candidate: '3',
  state: 'ok',
  problem: null,
  lastSwap: { at: '2026-01-05T09:12:00.000Z', from: 'voice/1', to: 'voice/2' },
  versions: [
    { version: '1', sha256, parameters: 81_370, thresholds, problem: null },
    { version: '2', sha256, parameters: 84_112, thresholds, problem: null },
    { version: '3', sha256, parameters: 90_544, thresholds, problem: null },
    { version: '4', sha256: null, parameters: null, thresholds: null, problem: 'hop.ms is 480, but 50 frames are 500' },
  ],
  tracks: { 'voice/1': 2, 'voice/2': 38 },
  shadow: {
    candidate: 'voice/3',
    active: 'voice/2',
    state: 'running',
    problem: null,
    since: '2026-01-05T10:00:00.000Z',
    judged: 18_200,
    share: 0.62,
    cpuShare: 0.0512,
    cpuShareMax: 0.1,
    agreement: {
      compared: 11_284,
      labelAgreement: 0.914,
      meanDifference: -0.0217,
      meanAbsoluteDifference: 0.08,
      labels: {
        synthetic: { synthetic: 812, between: 205, human: 3 },
        between: { synthetic: 88, between: 5120, human: 402 },
        human: { synthetic: 1, between: 271, human: 4382 },
      },
    },
  },
  drift: {
    model: 'voice/2',
    reference: { from: 'first_days', state: 'gathering', days: 3, samples: 410_220 },
    quantities: [
      { name: 'score', about: 'log-likelihood ratio of a window' },
      { name: 'speechShare', about: 'share of a hop that is speech' },
      { name: 'lowFeatures', about: 'mean of the lower half of a frame' },
      { name: 'highFeatures', about: 'mean of the upper half of a frame' },
    ],
    days: [
      {
        day: '2026-01-05',
        samples: 18_200,
        state: 'unknown',
        psi: { score: null, speechShare: null, lowFeatures: null, highFeatures: null },
      },
    ],
  },
}

const flashPsi = (score: number, blinkShare: number) => ({
  ...{ score, logAttempts: 0.03, answeredShare: 0.04, blinkShare, ringMeanS: 0.02, distinctBShare: 0.01 },
})

const flashCall: ModelView = {
  name: 'flash_call',
  kind: 'flash_call',
  serving: 'flash_call/1',
  active: '2',
  previous: '1',
  candidate: null,
  state: 'refused',
  problem: 'flash_call/2 was refused, flash_call/1 goes on: flash_call/2/model.onnx: sha256 must be 00',
  lastSwap: null,
  versions: [
    { version: '1', sha256, parameters: 3409, thresholds: { flashCall: 0.9856 }, problem: null },
    { version: '2', sha256, parameters: 3409, thresholds: { flashCall: 0.9 }, problem: null },
  ],
  tracks: null,
  shadow: null,
  drift: {
    model: 'flash_call/1',
    reference: { from: 'manifest', state: 'complete', days: 0, samples: 154_804 },
    quantities: [
      { name: 'score', about: 'probability of a window of calls' },
      { name: 'logAttempts', about: 'attempts in the window' },
      { name: 'answeredShare', about: 'share answered' },
      { name: 'blinkShare', about: 'share ended by the caller before an answer' },
      { name: 'ringMeanS', about: 'mean ringing' },
      { name: 'distinctBShare', about: 'different numbers called per attempt' },
    ],
    days: [
      { day: '2026-01-05', samples: 4210, state: 'shifted', psi: flashPsi(0.31, 0.42) },
      { day: '2026-01-04', samples: 9820, state: 'moved', psi: flashPsi(0.12, 0.18) },
      { day: '2026-01-03', samples: 9944, state: 'steady', psi: flashPsi(0.02, 0.03) },
    ],
  },
}

export function storyModels(): ModelView[] {
  return [voice, flashCall]
}
