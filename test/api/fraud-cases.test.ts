import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { CaseView } from '../../src/decisions/case-view.ts'
import { undecidedView } from '../../src/decisions/case-view.ts'
import type { FraudCase } from '../../src/decisions/cases.ts'
import { FraudPolicy } from '../../src/decisions/fraud-policy.ts'
import { fakeApi } from '../fakes/api.ts'
import { cdrConfig, seed } from '../fakes/fraud.ts'
import { askJson, request } from '../fakes/people.ts'

function rig() {
  const api = fakeApi()
  const { book } = api.fraud
  const nowMs = api.clock.wallMs()
  const open = (id: string, over: Partial<FraudCase> = {}): void => {
    book.apply([{ change: 'opened', seed: seed(id, nowMs, over) }])
  }
  const operator = { authorization: `Bearer ${api.keys.create('operator', 'desk').key}` }
  const get = (path: string) => askJson(api.routes, request(path, { header: api.header }))
  const post = (path: string, body: unknown = undefined, header: Record<string, string> = operator) =>
    askJson(
      api.routes,
      request(path, {
        method: 'POST',
        header: { ...header, 'content-type': 'application/json' },
        body: Buffer.from(body === undefined ? '' : JSON.stringify(body)),
      }),
    )
  const list = async (query = '') => (await get(`/v1/cases${query}`)).body as { cases: CaseView[]; next?: string }
  const ids = async (query = '') => (await list(query)).cases.map(({ id }) => id)
  return { ...api, book, nowMs, open, get, post, list, ids }
}

describe('cases over the API', () => {
  it('are told worst first, then those that are over, seen last first; by state, kind and verdict', async () => {
    const { open, ids, post, nowMs } = rig()
    open('mild', { score: 0.6, kind: 'robocall' })
    open('bad', { score: 0.99, calls: 5000 })
    open('anomaly', { score: 0.99, kind: 'anomaly' })
    open('old', { state: 'closed', lastSeenMs: nowMs - 9_000_000 })
    open('newer', { state: 'closed', lastSeenMs: nowMs - 8_000_000 })
    open('gone', { state: 'merged', mergedInto: 'bad' })
    assert.deepEqual(await ids(), ['bad', 'mild', 'anomaly', 'newer', 'old'])
    assert.deepEqual(await ids('?state=closed'), ['newer', 'old'])
    assert.deepEqual(await ids('?state=merged'), ['gone'])
    assert.deepEqual(await ids('?state=live&kind=robocall'), ['mild'])
    await post('/v1/cases/mild/confirm')
    assert.deepEqual(await ids('?verdict=confirmed'), ['mild'])
    assert.deepEqual(await ids('?verdict=none&state=live'), ['bad', 'anomaly'])
  })

  it('come in pages that leave nothing out, older ones from storage', async () => {
    const { open, list, nowMs, fraud } = rig()
    for (let n = 0; n < 5; n++) open(`live-${n}`, { score: 0.5 + n / 20 })
    for (let n = 0; n < 3; n++) open(`over-${n}`, { state: 'closed', lastSeenMs: nowMs - n * 1000 })
    const policy = new FraudPolicy(cdrConfig.policy)
    const { it } = seed('ancient', nowMs, { state: 'closed', lastSeenMs: nowMs - 1e9 })
    // Storage knows some that memory knows too.
    fraud.past.push(
      undecidedView(seed('over-2', nowMs, { state: 'closed', lastSeenMs: nowMs - 2000 }).it, policy, nowMs),
    )
    fraud.past.push(undecidedView(it, policy, nowMs))
    const seen: string[] = []
    let next: string | undefined
    do {
      const page = await list(`?limit=2${next === undefined ? '' : `&before=${next}`}`)
      seen.push(...page.cases.map(({ id }) => id))
      next = page.next
    } while (next !== undefined && seen.length < 20)
    const live = ['live-4', 'live-3', 'live-2', 'live-1', 'live-0']
    assert.deepEqual(seen, [...live, 'over-0', 'over-1', 'over-2', 'ancient'])
  })

  it('have the shape that pages and programs are told of', async () => {
    const { open, get, nowMs } = rig()
    open('a')
    const iso = (ms: number): string => new Date(ms).toISOString()
    const { status, body } = await get('/v1/cases/a')
    assert.equal(status, 200)
    const { severity, ...rest } = body
    assert.ok(typeof severity === 'number' && severity > 1)
    assert.deepEqual(rest, {
      id: 'a',
      kind: 'wangiri',
      subject: { type: 'number', value: '2215550001' },
      state: 'open',
      verdict: null,
      score: 0.97,
      calls: 150,
      reasons: [{ code: 'missed', text: '97 % of 150 attempts within 10 min given up while ringing' }],
      evidence: ['pbx:1:a:call'],
      firstSeenAt: iso(nowMs - 600_000),
      openedAt: iso(nowMs - 300_000),
      lastSeenAt: iso(nowMs),
      mergedInto: null,
      absorbed: 0,
      action: { intended: 'block', effective: 'allow', shadow: true, expiresAt: iso(nowMs + 3_600_000) },
      decidedBy: null,
      decidedAt: null,
      note: null,
      cdrs: [],
      series: { stepSeconds: 60, points: [] },
      scores: { calls: 0, actions: {} },
    })
  })

  it('are decided by operators, audited with who, what and what became of it', async () => {
    const { open, post, rows, keys } = rig()
    open('a')
    const { status, body } = await post('/v1/cases/a/dismiss', { note: ' a survey ' })
    assert.deepEqual([status, body['state'], body['verdict'], body['note']], [200, 'closed', 'dismissed', 'a survey'])
    assert.match(String(body['decidedBy']), /^key:\w+ desk$/)
    assert.equal((await post('/v1/cases/a/close')).status, 409)
    assert.equal((await post('/v1/cases/nobody/confirm')).status, 404)
    assert.deepEqual(
      rows.map(({ action, result, role, subject }) => [action, result, role, subject]),
      [
        ['case.dismiss', 'ok', 'operator', 'POST /v1/cases/a/dismiss'],
        ['case.close', 'conflict', 'operator', 'POST /v1/cases/a/close'],
        ['case.confirm', 'not_found', 'operator', 'POST /v1/cases/nobody/confirm'],
      ],
    )
    const viewer = { authorization: `Bearer ${keys.create('viewer', 'screen').key}` }
    assert.equal((await post('/v1/cases/a/confirm', {}, viewer)).status, 403)
  })

  it('refuse what is no query, no body and no id of theirs, naming what is wrong', async () => {
    const { open, get, post } = rig()
    open('a')
    assert.match(String((await get('/v1/cases?state=bad&limit=0')).body['detail']), /state: .*limit: /s)
    assert.equal((await get('/v1/cases?before=xyz')).status, 400)
    assert.equal((await get(`/v1/cases/${encodeURIComponent("a' OR 1")}`)).status, 400)
    assert.equal((await get('/v1/cases/unknown')).status, 404)
    assert.match(String((await post('/v1/cases/a/confirm', { notes: 'x' })).body['detail']), /notes/)
    assert.equal((await post('/v1/cases/a/confirm', { note: 'x'.repeat(1001) })).status, 400)
  })
})
