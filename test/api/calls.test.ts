import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { OperatingError } from '../../src/core/errors.ts'
import { fakeApi } from '../fakes/api.ts'
import { call, callSid, liveCall, track, windows } from '../fakes/calls.ts'
import { askJson, request } from '../fakes/people.ts'

interface Listed {
  calls: { callSid: string; state: string; tracks: Record<string, unknown>[] }[]
  next: string | null
  partial?: string
}

async function list(api: ReturnType<typeof fakeApi>, query = ''): Promise<Listed> {
  const answer = await askJson(api.routes, request(`/v1/calls?${query}`, { header: api.header }))
  assert.equal(answer.status, 200, JSON.stringify(answer.body))
  return answer.body as unknown as Listed
}

const numbersOf = (page: Listed) => page.calls.map(({ callSid }) => Number.parseInt(callSid.slice(2), 16))

describe('GET /v1/calls', () => {
  it('tells live calls first, then past ones, each newest first', async () => {
    const api = fakeApi()
    api.past.calls.push(call(1, { startedAtMs: 5000 }), call(2, { startedAtMs: 9000 }), call(3, { startedAtMs: 5000 }))
    api.live.put(liveCall(4, { startedAtMs: 1000 }), liveCall(5, { startedAtMs: 2000 }))
    assert.deepEqual(numbersOf(await list(api)), [5, 4, 2, 3, 1])
    assert.deepEqual(numbersOf(await list(api, 'state=live')), [5, 4])
    assert.deepEqual(numbersOf(await list(api, 'state=past')), [2, 3, 1])
  })

  it('tells a call once, from memory, while storage still lags behind', async () => {
    const api = fakeApi()
    api.past.calls.push(call(1, { state: 'interrupted' }))
    api.live.put(call(1, { state: 'ended' }))
    const page = await list(api)
    assert.deepEqual(
      page.calls.map(({ state }) => state),
      ['ended'],
    )
  })

  it('leaves windows and gaps out and gives the last 60 scores of each track instead', async () => {
    const api = fakeApi()
    const scores = Array.from({ length: 70 }, (_, n) => (n % 10 === 0 ? null : n / 100))
    api.live.put(liveCall(1, { tracks: [track({ windows: windows(scores), gaps: [{ startMs: 1, endMs: 2 }] })] }))
    const [first] = (await list(api)).calls
    assert.deepEqual(first?.tracks[0]?.['lastWindows'], scores.slice(10))
    assert.equal('windows' in (first?.tracks[0] ?? {}), false)
    assert.equal('gaps' in (first?.tracks[0] ?? {}), false)
  })

  it('filters by label and by part of a number or SID, with or without the plus', async () => {
    const api = fakeApi()
    api.past.calls.push(
      call(1, { from: '+4930123456' }),
      call(2, { tracks: [track(), track({ track: 'outbound', label: 'likely_synthetic', score: 0.97 })] }),
    )
    api.live.put(liveCall(3, { to: '+4930999999' }))
    assert.deepEqual(numbersOf(await list(api, 'q=%2B4930')), [3, 1])
    assert.deepEqual(numbersOf(await list(api, 'label=likely_synthetic')), [2])
    assert.deepEqual(numbersOf(await list(api, `q=${callSid(2)}`)), [2])
  })

  it('still tells the live calls while storage is down, and says what is missing', async () => {
    const api = fakeApi()
    api.live.put(liveCall(1))
    api.past.failure = new OperatingError('storage_unavailable', 'ClickHouse does not answer')
    const page = await list(api)
    assert.deepEqual([numbersOf(page), page.partial], [[1], 'storage_unavailable'])
    const past = await askJson(api.routes, request('/v1/calls?state=past', { header: api.header }))
    assert.deepEqual([past.status, past.headers['retry-after'], past.body['retryable']], [503, '2', true])
  })

  it('names every problem of a query', async () => {
    const api = fakeApi()
    const bad = 'state=dead&limit=0&cursor=x&order=asc'
    const answer = await askJson(api.routes, request(`/v1/calls?${bad}`, { header: api.header }))
    assert.equal(answer.status, 400)
    for (const word of ['state', 'limit', 'order']) assert.match(String(answer.body['detail']), new RegExp(word))
    const cursor = await askJson(api.routes, request('/v1/calls?cursor=e30', { header: api.header }))
    assert.deepEqual([cursor.status, cursor.body['code']], [400, 'bad_request'])
  })

  it('pages through any mix without losing or repeating a call (against one plain sort)', async () => {
    const state = fc.constantFrom('live' as const, 'ended' as const, 'interrupted' as const)
    const one = fc.record({ at: fc.nat(5), state, where: fc.constantFrom('memory', 'storage', 'both') })
    await fc.assert(
      fc.asyncProperty(fc.array(one, { maxLength: 25 }), fc.integer({ min: 1, max: 6 }), async (mix, limit) => {
        const api = fakeApi({ storageBatch: 3 })
        const expected: { n: number; live: number; at: number }[] = []
        for (const [n, item] of mix.entries()) {
          const view = call(n, { startedAtMs: item.at, state: item.state })
          if (item.where !== 'storage' || item.state === 'live') api.live.put(view)
          if (item.where !== 'memory' && item.state !== 'live') api.past.calls.push(view)
          expected.push({ n, live: item.state === 'live' ? 1 : 0, at: item.at })
        }
        expected.sort((a, b) => b.live - a.live || b.at - a.at || b.n - a.n)
        const got: number[] = []
        let cursor: string | null = ''
        for (let pages = 0; cursor !== null && pages < 100; pages++) {
          const page: Listed = await list(api, `limit=${limit}${cursor === '' ? '' : `&cursor=${cursor}`}`)
          got.push(...numbersOf(page))
          cursor = page.next
        }
        assert.deepEqual(
          got,
          expected.map(({ n }) => n),
        )
      }),
      { numRuns: 60 },
    )
  })
})

describe('GET /v1/calls/{callSid}', () => {
  it('tells windows, gaps, reasons and model per track, from memory first', async () => {
    const api = fakeApi()
    const gaps = [{ startMs: 500, endMs: 620 }]
    api.live.put(liveCall(1, { tracks: [track({ gaps, windows: windows([0.2, 0.3], { 1: ['gap'] }) })] }))
    api.past.calls.push(call(1))
    const answer = await askJson(api.routes, request(`/v1/calls/${callSid(1)}`, { header: api.header }))
    assert.deepEqual([answer.status, answer.body['state']], [200, 'live'])
    const [only] = answer.body['tracks'] as Record<string, unknown>[]
    assert.deepEqual(only?.['gaps'], gaps)
    const [, second] = (only?.['windows'] ?? []) as unknown[]
    assert.deepEqual(second, { startMs: 0, endMs: 1000, score: 0.3, flags: ['gap'] })
    assert.equal(only?.['model'], 'voice/1')
  })

  it('answers 404 for a call nobody knows and 400 for what is no SID', async () => {
    const api = fakeApi()
    const statuses = []
    for (const sid of [callSid(9), 'CA%27%20OR%201', 'x'.repeat(65)]) {
      statuses.push((await askJson(api.routes, request(`/v1/calls/${sid}`, { header: api.header }))).status)
    }
    assert.deepEqual(statuses, [404, 400, 400])
  })
})
