/** What the firewall does and would do, through the real process: in shadow, restarted, hung up, with signalling. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { CallDetail } from '../../src/decisions/action-record.ts'
import { type House, house, human, play, rules, synthetic, told } from '../fakes/acting-house.ts'
import { makeKey } from '../fakes/keys.ts'
import { eventually, startServer } from '../fakes/server-process.ts'
import { randomSid } from '../fakes/twilio-caller.ts'

describe('the firewall in shadow, as shipped', () => {
  let at: House
  before(async () => {
    at = await house({})
  })
  after(() => at?.close())

  it('asks Twilio nothing, and says what it would have done and why', async () => {
    const callSid = randomSid('CA')
    await play(await at.caller.stream(callSid), synthetic)
    const view = await at.ended(callSid)
    assert.deepEqual(told(view), [
      'watch observe shadow',
      'note annotate shadow',
      'tell notify shadow',
      'aside redirect shadow',
      'hang-up hangup superseded',
    ])
    assert.equal(at.rest.asked.length, 0)
    const aside = view.actions[3]
    assert.match(
      aside?.text ?? '',
      /^shadow: the call would have been redirected \(rule aside\): label likely_synthetic/,
    )
    assert.match(aside?.evidence.model.sha256 ?? '', /^[0-9a-f]{64}$/)
    assert.ok((aside?.evidence.windows.length ?? 0) > 5)
    const parts = aside?.evidence.risk.parts.map((part) => part.code) ?? []
    assert.equal(parts[0], 'voice')
    assert.ok(parts.includes('stir_none'))
  })

  it('has nothing to say about a person', async () => {
    const callSid = randomSid('CA')
    await play(await at.caller.stream(callSid), human)
    assert.deepEqual((await at.ended(callSid)).actions, [])
  })
})

describe('a stored decision', () => {
  it('is told after a restart as it was, and an annotation can still be withdrawn', async (test) => {
    const first = await house({ shadow: false, rules: rules.slice(0, 3) })
    test.after(() => first.rest.close())
    test.after(() => void first.server.child.kill('SIGKILL'))
    const callSid = randomSid('CA')
    await play(await first.caller.stream(callSid), synthetic)
    const before = await first.ended(callSid)
    const { dataDir } = first.server
    await first.close()
    const server = await startServer({ dataDir })
    test.after(() => void server.child.kill('SIGKILL'))
    const view = (await server.get(`/v1/calls/${callSid}`)) as CallDetail
    assert.deepEqual(view.actions, before.actions)
    const note = view.actions.find((action) => action.action === 'annotate')
    const response = await fetch(`${server.url}/v1/calls/${callSid}/actions/${note?.id}/undo`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.key()}` },
    })
    assert.equal(response.status, 200)
    await eventually('the withdrawal to be stored', async () => {
      const { actions } = (await server.get(`/v1/calls/${callSid}`)) as CallDetail
      return actions.some((action) => action.state === 'undone') ? true : undefined
    })
    assert.equal(await server.end('SIGTERM'), 0)
  })
})

describe('hanging up', () => {
  it('completes the call at Twilio when the rule says so', async (test) => {
    const at = await house({ shadow: false, rules: [rules[4]] })
    test.after(() => at.close())
    const callSid = randomSid('CA')
    await play(await at.caller.stream(callSid), synthetic)
    const view = await at.ended(callSid)
    assert.deepEqual(told(view), ['hang-up hangup done'])
    assert.deepEqual(
      at.rest.asked.map(({ form }) => form),
      [{ Status: 'completed' }],
    )
  })
})

describe('voice joined with signalling', () => {
  it('counts the records of the caller in the risk of its call, with their weight', async (test) => {
    const at = await house({})
    test.after(() => at.close())
    const startUs = (Date.now() - 600_000) * 1000
    const records = Array.from({ length: 120 }, (_, n) => {
      const beganUs = startUs + n * 4_000_000
      const answerUs = n % 8 === 0 ? beganUs + 2_000_000 : null
      const numbers = { from: '15005550006', to: `1202555${String(1000 + n * 37).slice(-4)}`, ingress: 'inbound' }
      return { id: `r${n}`, callId: `r${n}`, startUs: beganUs, answerUs, endUs: beganUs + 6_000_000, ...numbers }
    })
    const headers = { authorization: `Bearer ${makeKey(at.server, 'ingest')}`, 'content-type': 'application/json' }
    const response = await fetch(`${at.server.url}/v1/cdr?source=canonical`, {
      method: 'POST',
      headers,
      body: JSON.stringify(records),
    })
    assert.equal(((await response.json()) as { accepted: number }).accepted, 120)
    await eventually('the records to be stored', async () => {
      const answer = await fetch(`${at.server.url}/v1/numbers/15005550006`, {
        headers: { authorization: `Bearer ${at.server.key()}` },
      })
      const { recent } = (await answer.json()) as { recent?: unknown[] }
      return (recent?.length ?? 0) > 0 ? true : undefined
    })
    const callSid = randomSid('CA')
    await play(await at.caller.stream(callSid), synthetic)
    const { evidence } = (await at.ended(callSid)).actions.at(-1) ?? assert.fail('no action')
    const history = evidence.risk.parts.find(({ code }) => code.startsWith('history_'))
    assert.equal(history?.code, 'history_dialler', JSON.stringify(evidence.risk))
    const voice = evidence.risk.parts.find(({ code }) => code === 'voice')
    assert.ok(evidence.risk.logOdds > (voice?.logOdds ?? 0), 'signalling speaks against the call')
  })
})
