import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { ManualClock } from '../../src/core/clock.ts'
import { callRisk } from '../../src/decisions/call-risk.ts'
import type { FraudCase } from '../../src/decisions/cases.ts'
import { cdrConfig, fakeFraud, seed } from '../fakes/fraud.ts'

function rig(over: Partial<typeof cdrConfig.policy> = {}) {
  const clock = new ManualClock()
  const fraud = fakeFraud(clock, { ...cdrConfig.policy, shadow: false, ...over })
  const open = (it: Partial<FraudCase> = {}) =>
    fraud.book.apply([{ change: 'opened', seed: seed('a', clock.wallMs(), it) }])
  const action = (from: string, to = '4915112345678', route?: string) =>
    fraud.decisions.decide({ from, to, route }).action
  return { ...fraud, clock, open, action }
}

describe('a decision before the call', () => {
  it('is to allow what nothing is known of, for a short while', () => {
    const { decisions } = rig()
    assert.deepEqual(decisions.decide({ from: '12025550123', to: '442079460123' }), {
      action: 'allow',
      reasons: [],
      ttlMs: 10_000,
      intended: 'allow',
      shadow: false,
    })
  })

  it('is the policy’s for the case of the number, however the number is written, with reasons', () => {
    const { open, action, decisions } = rig()
    open()
    for (const from of ['2215550001', '+2215550001', '002215550001', '+221 555-0001'])
      assert.equal(action(from), 'block')
    assert.equal(action('2215550002'), 'allow')
    const { reasons, caseId, ttlMs } = decisions.decide({ from: '2215550001', to: '4915112345678' })
    assert.deepEqual([caseId, ttlMs], ['a', 60_000], 'kept for a minute at most: people decide meanwhile')
    assert.match(reasons.join(), /97 % of 150 attempts/)
  })

  it('falls under ranges, called numbers, routes and their destinations', () => {
    const calls: [FraudCase['subject'], [string, string, string?]][] = [
      [{ type: 'range', value: '4477009' }, ['447700912345', '4915112345678']],
      [{ type: 'called_number', value: '442079460123' }, ['12025550123', '+442079460123']],
      [{ type: 'route', value: 'carrier-a' }, ['12025550123', '4915112345678', 'carrier-a']],
      [{ type: 'route_destination', value: 'carrier-a>25290' }, ['12025550123', '252900123456', 'carrier-a']],
    ]
    for (const [subject, [from, to, route]] of calls) {
      const { open, action } = rig()
      open({ subject })
      assert.equal(action(from, to, route), 'block', subject.type)
      assert.equal(action('33612345678', '390612345678', 'carrier-b'), 'allow', subject.type)
    }
  })

  it('is only said in shadow mode', () => {
    const { open, decisions } = rig({ shadow: true })
    open()
    const { action, intended, shadow } = decisions.decide({ from: '2215550001', to: '1' })
    assert.deepEqual([action, intended, shadow], ['allow', 'block', true])
  })

  it('spares numbers and routes on the allow-lists', () => {
    const { open, action } = rig({ allowNumbers: ['221555'], allowRoutes: ['emergency'] })
    open()
    open({ id: 'b', subject: { type: 'number', value: '3545550002' } })
    assert.equal(action('2215550001'), 'allow')
    assert.equal(action('3545550002', '1', 'emergency'), 'allow')
    assert.equal(action('3545550002', '1', 'carrier-a'), 'block')
  })

  it('ends with the time of the action, at a dismissal, and when the case closes', async () => {
    const { open, action, clock, book } = rig()
    open()
    clock.advance(cdrConfig.policy.ttlMs - 1)
    assert.equal(action('2215550001'), 'block')
    clock.advance(1)
    assert.equal(action('2215550001'), 'allow')
    open({ id: 'b', subject: { type: 'number', value: '3545550002' } })
    assert.equal(action('3545550002'), 'block')
    await book.decide('b', 'dismiss', 'desk', null)
    assert.equal(action('3545550002'), 'allow')
  })

  it('is a label at most for a weak case, until a person confirms it', async () => {
    const { open, action, book } = rig()
    open({ score: 0.6 })
    assert.equal(action('2215550001'), 'label')
    await book.decide('a', 'confirm', 'desk', null)
    assert.equal(action('2215550001'), 'block')
  })

  it('finds the cases whose weight counts in the risk of a live call; a dismissed one counts no more', async () => {
    const { open, decisions, book } = rig()
    open()
    const { risk } = loadConfig({ env: {} }).actions
    const riskNow = () => {
      const cases = decisions.casesOf({ from: '2215550001', to: '4915112345678', route: 'inbound' })
      return callRisk(0.5, { stirVerstat: '', cases, history: null }, risk).logOdds
    }
    assert.ok(riskNow() > 0)
    await book.decide('a', 'dismiss', 'key:1 desk', null)
    assert.equal(riskNow(), 0)
  })
})
