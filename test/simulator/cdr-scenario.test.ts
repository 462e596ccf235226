import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigProblems } from '../../src/config/load.ts'
import { loadScenario } from '../../src/simulator/cdr-scenario.ts'
import { withScenario } from '../fakes/cdr-run.ts'

test('the shipped scenario is complete, for both plans', () => {
  const train = loadScenario({ plan: 'train' })
  const test = loadScenario({ plan: 'test' })
  assert.equal(train.normal.retail.asr, 0.7)
  assert.deepEqual(train.campaigns.flash_call.ringMeanS, [0.8, 3.2])
  assert.deepEqual(test.campaigns.flash_call.ringMeanS, [0.6, 3.6], 'a plan brings figures of its own')
  assert.deepEqual(test.campaigns.flash_call.ringS, train.campaigns.flash_call.ringS, 'and keeps the others')
})

test('a scenario is laid over the shipped one, prevalences over both', () => {
  const scenario = { people: { withheldShare: 0.5 }, campaigns: { wangiri: { share: 0.02 }, irsf: { share: 0.03 } } }
  const loaded = withScenario(scenario, (file) => loadScenario({ plan: 'train', file, prevalence: { irsf: 0.01 } }))
  assert.equal(loaded.people.withheldShare, 0.5)
  assert.equal(loaded.people.redialShare, 0.18)
  assert.equal(loaded.campaigns.wangiri.share, 0.02)
  assert.equal(loaded.campaigns.irsf.share, 0.01)
})

test('all problems of a scenario are told at once, with their paths', () => {
  const scenario = {
    nonsense: 1,
    people: { fill: 2 },
    ring: { noAnswerS: [30, 20] },
    campaigns: { irsf: { asr: [0, 2] } },
  }
  const problems = problemsOf(scenario)
  assert.match(problems, /nonsense/)
  assert.match(problems, /people\.fill/)
  assert.match(problems, /ring\.noAnswerS: low must not be above high/)
  assert.match(problems, /campaigns\.irsf\.asr/)
})

test('shares above the whole and profiles that are not there are refused', () => {
  assert.match(problemsOf({ campaigns: { flash_call: { share: 0.99 } } }), /shares of campaigns .* add up to 1\./)
  assert.match(problemsOf({ normal: { retail: { hours: 'lunar' } } }), /normal\.retail\.hours: no profile "lunar"/)
  assert.match(problemsOf({ dirt: { late: 0.9, fork: 0.9 } }), /dirt: the shares add up to 1\.8/)
})

function problemsOf(scenario: Record<string, unknown>): string {
  try {
    withScenario(scenario, (file) => loadScenario({ plan: 'train', file }))
  } catch (thrown) {
    assert.ok(thrown instanceof ConfigProblems)
    return thrown.problems.join('\n')
  }
  return assert.fail('the scenario was taken')
}
