import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RuleOverrides } from '../../src/actions/rule-overrides.ts'
import { ManualClock } from '../../src/core/clock.ts'
import { OperatingError } from '../../src/core/errors.ts'
import { fakeApi } from '../fakes/api.ts'
import { callSid, controlled } from '../fakes/controlled-calls.ts'
import { MemoryLog } from '../fakes/memory-log.ts'
import { askJson, request } from '../fakes/people.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

interface Ending {
  after(fn: () => Promise<void> | void): void
}

function house(t: Ending) {
  const calls = controlled({ log: new MemoryLog() })
  const file = `${scratchDirectory(t)}/detection-rules.json`
  const overrides = new RuleOverrides({ named: (rules) => rules, file, clock: new ManualClock(), changed: () => {} })
  const configured = { default: true, timeZone: 'UTC', rules: [] }
  const api = fakeApi({ detections: { detections: calls.detections, overrides, configured } })
  const { key } = api.keys.create('operator', 'desk')
  const operator = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  const ask = (method: string, path: string, body?: unknown, header: Record<string, string> = operator) =>
    askJson(api.routes, request(path, { method, header, body: Buffer.from(JSON.stringify(body ?? {})) }))
  return { api, calls, ask, viewer: { ...api.header, 'content-type': 'application/json' } }
}

describe('/v1/detections', () => {
  it('is 201 with its place, then 200 with the same object, and shows in list and by id', async (t) => {
    const { ask } = house(t)
    const first = await ask('POST', '/v1/detections', { callSid })
    assert.equal(first.status, 201)
    assert.equal(first.headers['location'], `/v1/detections/${first.body['id']}`)
    const again = await ask('POST', '/v1/detections', { callSid, track: 'inbound_track' })
    assert.deepEqual([again.status, again.body], [200, first.body])
    assert.deepEqual((await ask('GET', `/v1/detections/${first.body['id']}`)).body, first.body)
    assert.deepEqual((await ask('GET', '/v1/detections?state=starting')).body, { detections: [first.body] })
    assert.deepEqual((await ask('GET', '/v1/detections?state=live')).body, { detections: [] })
    const { id, createdAt, ...rest } = first.body
    assert.match(String(id), /^det_[0-9a-f]{24}$/)
    assert.equal(createdAt, '2026-01-01T00:00:00.000Z')
    assert.deepEqual(rest, {
      callSid,
      accountSid: `AC${'4'.repeat(32)}`,
      track: 'inbound',
      state: 'starting',
      reason: null,
      detail: null,
      origin: 'api',
      streamSids: ['MZ1'],
      restarts: 0,
      startedAt: null,
      endedAt: null,
      verdict: null,
    })
  })

  it('may be seen by viewers, changed by operators, and not touched by others', async (t) => {
    const { ask, api, viewer } = house(t)
    const ingest = { authorization: `Bearer ${api.keys.create('ingest', 'switch').key}` }
    const changes: [string, string][] = [
      ['POST', '/v1/detections'],
      ['DELETE', '/v1/detections/det_1'],
      ['PUT', '/v1/detections/rules'],
    ]
    for (const [method, path] of changes) {
      assert.equal((await ask(method, path, {}, viewer)).status, 403, `${method} ${path}`)
      assert.equal((await ask(method, path, {}, {})).status, 401)
    }
    for (const path of ['/v1/detections', '/v1/detections/rules']) {
      assert.equal((await ask('GET', path, undefined, viewer)).status, 200)
      assert.equal((await ask('GET', path, undefined, ingest)).status, 403)
    }
  })

  it('refuses what is no order, and forms of other sites', async (t) => {
    const { ask, calls } = house(t)
    const bodies = [{}, { callSid: 'CA1' }, { callSid, track: 'sideways' }, { callSid, mode: 'x' }, [callSid]]
    for (const body of bodies) assert.equal((await ask('POST', '/v1/detections', body)).status, 400)
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    const { authorization } = house(t).viewer as { authorization: string }
    assert.equal((await ask('POST', '/v1/detections', { callSid }, { ...form, authorization })).status, 401)
    assert.equal((await ask('GET', '/v1/detections?state=odd')).status, 400)
    assert.equal((await ask('DELETE', '/v1/detections/det_none')).status, 404)
    assert.equal(calls.rest.fetches, 0)
  })

  it('leaves an audit row for what was done and for what failed', async (t) => {
    const { ask, api, calls } = house(t)
    const { body } = await ask('POST', '/v1/detections', { callSid })
    await ask('POST', '/v1/detections', { callSid })
    await ask('DELETE', `/v1/detections/${body['id']}`)
    calls.rest.call = new OperatingError('call_over', 'the call is completed')
    assert.equal((await ask('POST', '/v1/detections', { callSid })).status, 409)
    await ask('PUT', '/v1/detections/rules', { revision: 0, rules: [{ name: 'q', listen: false, to: ['1202'] }] })
    await ask('PUT', '/v1/detections/rules', { revision: 0, rules: [] })
    assert.deepEqual(
      api.rows.map(({ action, result, detail }) => [action, result, detail]),
      [
        ['detection.start', 'started', body['id']],
        ['detection.start', 'known', body['id']],
        ['detection.stop', 'ended', callSid],
        ['detection.start', 'call_over', ''],
        ['detection.rules', 'ok', 'revision 1, 1 rules'],
        ['detection.rules', 'conflict', ''],
      ],
    )
    assert.ok(api.rows.every(({ actor }) => /^key:\S+ desk$/.test(actor)))
    const shown = (await ask('GET', '/v1/detections/rules')).body
    assert.deepEqual([shown['revision'], (shown['overrides'] as unknown[]).length], [1, 1])
  })
})
