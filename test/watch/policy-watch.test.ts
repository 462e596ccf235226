/** What follows from verdicts on live calls: hops go in, actions, rows and events come out. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ActionRecord } from '../../src/decisions/action-record.ts'
import type { LiveTrack } from '../../src/decisions/live-calls.ts'
import { actionRecord } from '../fakes/actions.ts'
import { aside, back, done, hangUp, house, rule, twiml } from '../fakes/policy-house.ts'

describe('the policy in force', () => {
  it('asks Twilio once, tells decision and outcome, and stores both with their evidence', async () => {
    const { open, speak, orders, outcomes, rows, events, latencies, settled, view } = house({
      config: { rules: [hangUp] },
    })
    const call = open('CA1')
    speak(call, 20)
    assert.equal(orders.length, 1)
    assert.deepEqual(orders[0]?.change, { status: 'completed' })
    outcomes[0]?.(done)
    await settled()
    assert.equal(await view('CA1'), 'hang-up:done')
    assert.deepEqual(
      events.map((event) => event.change),
      ['decided', 'done'],
    )
    assert.deepEqual(latencies, [0.00426])
    assert.deepEqual(
      rows.map((row) => row['state']),
      ['planned', 'done'],
    )
    assert.ok(Number(rows[1]?.['version']) > Number(rows[0]?.['version']))
    assert.equal(rows[1]?.['latency_ms'], 4.3)
    const evidence = JSON.parse(String(rows[1]?.['evidence_json'])) as ActionRecord['evidence']
    assert.equal(evidence.model.sha256, 'ab'.repeat(32))
    assert.equal(evidence.thresholds['synthetic'], 0.9)
    assert.equal(evidence.heldMs, 2000)
    assert.ok(evidence.windows.length > 0 && evidence.windows.length <= 40)
    assert.equal(evidence.windows.at(-1)?.score, 0.9975)
    assert.equal(evidence.risk.parts[0]?.code, 'voice')
    assert.doesNotMatch(JSON.stringify(rows), /12025550123|442079460123/, 'no number is stored with a decision')
  })

  it('acts once on a call whose stream drops and comes back as another detection', () => {
    const { open, speak, orders } = house({ config: { rules: [aside, hangUp] } })
    speak(open('CA1'), 6)
    speak(open('CA1'), 20)
    assert.equal(orders.length, 1)
  })

  it('acts once on a call with two tracks; the second says that it was superseded', async () => {
    const { open, speak, orders, view } = house({ config: { rules: [hangUp] } })
    const [inbound, outbound] = [open('CA1', 'inbound'), open('CA1', 'outbound')]
    speak(inbound, 10)
    speak(outbound, 10)
    assert.equal(orders.length, 1)
    assert.equal(await view('CA1'), 'hang-up:planned hang-up:superseded')
  })

  it('never redirects and hangs up: what came first stands, of two at once the hang-up', async () => {
    const first = house({ config: { rules: [aside, hangUp] } })
    first.speak(first.open('CA1'), 20)
    assert.deepEqual(
      first.orders.map((order) => order.change),
      [{ twiml }],
    )
    assert.equal(await first.view('CA1'), 'aside:planned hang-up:superseded')
    const at = house({ config: { rules: [aside, rule('now', 'hangup')] } })
    at.speak(at.open('CA1'), 20)
    assert.deepEqual(
      at.orders.map((order) => order.change),
      [{ status: 'completed' }],
    )
  })

  it('lets the call go on when Twilio fails, tells it, and does not try by another rule', async () => {
    const { open, speak, orders, outcomes, events, settled, view } = house({ config: { rules: [aside, hangUp] } })
    const call = open('CA1')
    speak(call, 4)
    const result = { code: 'twilio_unavailable', text: 'no answer within 5000 ms' }
    outcomes[0]?.({ state: 'failed', latencyMs: 3, result })
    await settled()
    speak(call, 20)
    assert.equal(orders.length, 1)
    assert.equal(await view('CA1'), 'aside:failed hang-up:superseded')
    assert.deepEqual(
      events.map((event) => event.change),
      ['decided', 'failed', 'decided'],
    )
  })

  it('annotates, tells and observes without Twilio', async () => {
    const rules = [rule('watch', 'observe'), rule('note', { annotate: 'sounds generated' }), rule('tell', 'notify')]
    const { open, speak, orders, policy } = house({ config: { rules } })
    speak(open('CA1'), 10)
    assert.equal(orders.length, 0)
    const { actions } = await policy.viewOf('CA1')
    assert.deepEqual(
      actions.map(({ action, state }) => `${action} ${state}`),
      ['observe done', 'annotate done', 'notify done'],
    )
    assert.match(actions[1]?.text ?? '', /^the call was annotated “sounds generated” \(rule note\)/)
  })

  it('asks for a second opinion where there is one to ask, and says so where not', async () => {
    const rules = [rule('ask', 'secondOpinion')]
    const nobody = house({ config: { rules } })
    nobody.speak(nobody.open('CA1'), 10)
    assert.equal(await nobody.view('CA1'), 'ask:failed')
    const asked: string[] = []
    const secondOpinion = (track: LiveTrack) => asked.push(track.facts.call.callSid) > 0
    const somebody = house({ config: { rules }, secondOpinion })
    somebody.speak(somebody.open('CA1'), 10)
    assert.deepEqual(asked, ['CA1'])
    assert.equal(await somebody.view('CA1'), 'ask:done')
  })

  it('does nothing about a machine by right', async () => {
    const exceptions = [{ name: 'our-bot', why: 'voicebot' as const, from: ['12025550100'] }]
    const { open, speak, orders, view } = house({ config: { rules: [rule('watch', 'observe'), hangUp], exceptions } })
    const call = open('CA1', 'inbound', '+12025550100')
    speak(call, 30)
    assert.equal(call.track.verdict.label, 'benign_automation')
    assert.equal(orders.length, 0)
    assert.equal(await view('CA1'), '')
  })

  it('joins the voice with cases and records of the caller', async () => {
    const subject = { type: 'number', value: '12025550123' } as const
    const cases = [{ id: 'c1', kind: 'robocall', subject, state: 'open', score: 1, verdict: null } as const]
    const history = { days: 30, attempts: 500, answered: 60, talkMs: 480_000, distinctCalled: 480 }
    const when = { label: 'likely_synthetic', caseKinds: ['robocall'], riskMin: 0.999 } as const
    const rules = [rule('joined', 'observe', { when: { ...when, caseKinds: [...when.caseKinds] } })]
    const { open, speak, settled, policy } = house({ config: { rules }, cases, history })
    const call = open('CA1')
    await settled()
    speak(call, 10)
    const { actions, risk } = await policy.viewOf('CA1')
    const codes = actions[0]?.evidence.risk.parts.map((part) => part.code)
    assert.deepEqual(codes, ['voice', 'stir_none', 'case_robocall', 'history_dialler'])
    assert.ok((risk?.score ?? 0) > 0.999)
  })

  it('does not let a bug break a verdict: it is counted, and the next track is looked at', () => {
    const { open, speak, counters, policy, orders } = house({ config: { rules: [hangUp] } })
    const broken = { facts: open('CA1').track.facts, verdict: { figures: () => assert.fail('a bug') } }
    policy.judged(broken as unknown as LiveTrack, 0)
    assert.equal(counters.policyThrew, 1)
    speak(open('CA2'), 20)
    assert.equal(orders.length, 1)
  })

  it('forgets the calls that were quiet longest, never one that still speaks', () => {
    const { open, speak, policy, orders } = house({ config: { rules: [hangUp], callsRememberedMax: 3 } })
    const call = open('CA0')
    speak(call, 10)
    for (let n = 1; n <= 10; n += 1) {
      open(`CA${n}`)
      speak(call, 1)
    }
    assert.equal(policy.size, 3)
    assert.equal(orders.length, 1)
  })
})

describe('shadow mode', () => {
  it('does nothing and records what it would have done, one redirect or hang-up a call', async () => {
    const { open, speak, orders, view, rows } = house({ config: { shadow: true, rules: [aside, hangUp] } })
    speak(open('CA1'), 20)
    assert.equal(orders.length, 0)
    assert.equal(await view('CA1'), 'aside:shadow hang-up:superseded')
    assert.ok(rows.every((row) => row['shadow'] === true))
  })

  it('of one rule leaves the others in force, and takes nothing from them', async () => {
    const { open, speak, orders, view } = house({ config: { rules: [{ ...aside, shadow: true }, hangUp] } })
    speak(open('CA1'), 20)
    assert.deepEqual(
      orders.map((order) => order.change),
      [{ status: 'completed' }],
    )
    assert.equal(await view('CA1'), 'aside:shadow hang-up:planned')
  })
})

describe('a person', () => {
  it('says hands off: what fires is withheld, what waits is taken back, and later the policy goes on', async () => {
    const { open, speak, policy, orders, outcomes, cancelled, settled, view, events } = house({
      config: {
        rules: [aside, rule('tell', 'notify', { when: { label: 'likely_synthetic', dwellMs: 3000 } }), hangUp],
      },
    })
    const call = open('CA1')
    speak(call, 3)
    const handsOff = { by: 'key:1 desk', at: '2026-01-01T00:00:00.000Z', note: 'my mother' }
    await policy.setHandsOff('CA1', handsOff)
    assert.deepEqual(cancelled, [orders[0]?.id])
    outcomes[0]?.({ state: 'cancelled', latencyMs: null, result: null })
    await settled()
    speak(call, 4)
    assert.equal(await view('CA1'), 'aside:withheld hang-up:withheld')
    assert.deepEqual((await policy.viewOf('CA1')).handsOff, handsOff)
    await policy.setHandsOff('CA1', null)
    speak(call, 5)
    assert.equal(await view('CA1'), 'aside:withheld hang-up:withheld tell:done')
    assert.equal(orders.length, 1)
    assert.equal(events.filter((event) => event.change === 'hands_off').length, 2)
    await assert.rejects(policy.setHandsOff('CAnobody', handsOff), /no such call/)
  })

  it('takes a notification and an annotation back, once', async () => {
    const { open, speak, policy, rows } = house({ config: { rules: [rule('tell', 'notify')] } })
    speak(open('CA1'), 10)
    const [action] = (await policy.viewOf('CA1')).actions
    const record = await policy.undo('CA1', action?.id ?? '', 'key:1 desk')
    assert.equal(record.state, 'undone')
    assert.deepEqual([rows.at(-1)?.['state'], rows.at(-1)?.['undone_by']], ['undone', 'key:1 desk'])
    await assert.rejects(policy.undo('CA1', action?.id ?? '', 'key:1 desk'), /is undone and cannot be undone/)
    await assert.rejects(policy.undo('CA1', 'act_nobody', 'key:1 desk'), /no such action/)
  })

  it('leads a redirected call back, once, though two people ask', async () => {
    const { open, speak, policy, orders, outcomes, settled, view } = house({ config: { rules: [aside] } })
    speak(open('CA1'), 10)
    outcomes[0]?.(done)
    await settled()
    const id = orders[0]?.id ?? ''
    const undo = policy.undo('CA1', id, 'key:1 desk')
    await assert.rejects(policy.undo('CA1', id, 'key:2 other'), /being undone already/)
    assert.deepEqual(orders[1]?.change, { twiml: back })
    outcomes[1]?.(done)
    await undo
    assert.equal(await view('CA1'), 'aside:undone')
    assert.equal(orders.length, 2)
  })

  it('is told when the way back fails; the redirect stands', async () => {
    const { open, speak, policy, orders, outcomes, settled, view } = house({ config: { rules: [aside] } })
    speak(open('CA1'), 10)
    outcomes[0]?.(done)
    await settled()
    const undo = policy.undo('CA1', orders[0]?.id ?? '', 'key:1 desk')
    await settled()
    outcomes[1]?.({ state: 'failed', latencyMs: 1, result: { code: 'call_over', text: 'gone' } })
    await assert.rejects(undo, /not led back: gone/)
    assert.equal(await view('CA1'), 'aside:done')
  })

  it('cannot undo a hang-up', async () => {
    const { open, speak, policy, orders, outcomes, settled } = house({ config: { rules: [hangUp] } })
    speak(open('CA1'), 10)
    outcomes[0]?.(done)
    await settled()
    await assert.rejects(policy.undo('CA1', orders[0]?.id ?? '', 'key:1 desk'), /hangup is done and cannot be undone/)
  })

  it('withdraws an annotation of a call that has left memory, as stored', async () => {
    const stored = actionRecord({ callSid: 'CA9', action: 'annotate', note: 'x', rule: 'note' })
    const { policy, rows } = house({ past: [stored] })
    assert.equal((await policy.viewOf('CA9')).actions.length, 1)
    await policy.undo('CA9', stored.id, 'key:1 desk')
    assert.deepEqual([rows[0]?.['id'], rows[0]?.['state']], [stored.id, 'undone'])
  })
})
