import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { actionView } from '../../src/decisions/action-record.ts'
import { actionRecord } from '../fakes/actions.ts'
import { fakeApi } from '../fakes/api.ts'
import { callSid, liveCall } from '../fakes/calls.ts'
import { askJson, request } from '../fakes/people.ts'

function house() {
  const api = fakeApi()
  const header = { authorization: `Bearer ${api.keys.create('operator', 'desk').key}` }
  const post = (path: string, body: unknown, headers: Record<string, string> = header) => {
    const json = { 'content-type': 'application/json', ...headers }
    return askJson(api.routes, request(path, { method: 'POST', header: json, body: Buffer.from(JSON.stringify(body)) }))
  }
  return { api, header, post }
}

describe('GET /v1/calls/{callSid}', () => {
  it('tells what was done, or would have been, with the evidence, the risk and hands off', async () => {
    const { api } = house()
    const action = actionView(actionRecord({ state: 'shadow' }))
    api.live.put(liveCall(1))
    api.policy.views.set(callSid(1), { actions: [action], risk: action.evidence.risk, handsOff: null })
    const { body } = await askJson(api.routes, request(`/v1/calls/${callSid(1)}`, { header: api.header }))
    assert.deepEqual(body['actions'], JSON.parse(JSON.stringify([action])))
    assert.equal((body['risk'] as { score: number }).score, 0.97)
    assert.equal(body['handsOff'], null)
    assert.equal(body['state'], 'live')
  })
})

describe('POST /v1/calls/{callSid}/actions/{id}/undo', () => {
  it('takes an action back in the name of the operator, and leaves an audit row', async () => {
    const { api, post } = house()
    api.policy.record = actionRecord({ action: 'notify', state: 'undone', undoneAtMs: 0, undoneBy: 'x' })
    const { status, body } = await post(`/v1/calls/${callSid(1)}/actions/act_1/undo`, {})
    assert.equal(status, 200)
    assert.equal(body['state'], 'undone')
    assert.match(api.policy.undone[0]?.who ?? '', /^key:\S+ desk$/)
    assert.deepEqual(
      api.rows.map((row) => [row.action, row.result]),
      [['action.undo', 'ok']],
    )
  })

  it('is for operators, and answers 404 for an action nobody knows', async () => {
    const { api, post } = house()
    const path = `/v1/calls/${callSid(1)}/actions/act_1/undo`
    assert.equal((await post(path, {}, api.header)).status, 403)
    assert.equal((await post(path, {})).status, 404)
    assert.equal(api.policy.undone.length, 0)
  })
})

describe('POST /v1/calls/{callSid}/hands-off', () => {
  it('says who wants nothing more done to the call and why, and takes it back', async () => {
    const { api, post } = house()
    api.policy.views.set(callSid(1), { actions: [], risk: null, handsOff: null })
    const path = `/v1/calls/${callSid(1)}/hands-off`
    const { status, body } = await post(path, { on: true, note: 'known to the desk' })
    assert.equal(status, 200)
    const handsOff = body['handsOff'] as { by: string; note: string; at: string }
    assert.match(handsOff.by, / desk$/)
    assert.deepEqual([handsOff.note, handsOff.at], ['known to the desk', '2026-01-01T00:00:00.000Z'])
    assert.deepEqual((await post(path, { on: false })).body, { handsOff: null })
    assert.deepEqual(
      api.rows.map((row) => row.action),
      ['call.hands_off', 'call.hands_on'],
    )
  })

  it('is for operators; refuses other bodies and calls that are not in memory', async () => {
    const { api, header, post } = house()
    const path = `/v1/calls/${callSid(1)}/hands-off`
    assert.equal((await post(path, { on: true }, api.header)).status, 403)
    assert.equal((await post(path, { on: true })).status, 404)
    for (const body of [{}, { on: 'yes' }, [], 'x', { on: true, reason: 'x' }]) {
      assert.equal((await post(path, body)).status, 400, JSON.stringify(body))
    }
    // What a form of another site could send without the browser asking us first.
    assert.equal((await post(path, { on: true }, { ...header, 'content-type': 'text/plain' })).status, 415)
  })
})
