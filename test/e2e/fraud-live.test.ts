/**
 * Number fraud end to end, on the real server over its own doors: a campaign becomes a case, calls ahead are decided by
 * it, people decide on it, and all of that outlives SIGKILL and a worker that throws.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import WebSocket from 'ws'
import type { CaseView } from '../../src/decisions/case-view.ts'
import { call, post } from '../fakes/cdr-doors.ts'
import { makeKey } from '../fakes/keys.ts'
import { eventually, type ServerProcess, startServer } from '../fakes/server-process.ts'

const lure = '2215550001'
/** Calls wait half a second for earlier ones; the policy acts. */
const config = { cdr: { windows: { latenessMs: 500 }, policy: { shadow: false } } }

/** One ring to number after number, over the last ten minutes. */
function campaign(from: string, count = 150): Record<string, unknown>[] {
  return Array.from({ length: count }, (_, n) => {
    const startUs = Math.round((Date.now() - 590_000 + n * 3900) * 1000)
    const [ringUs, endUs] = [startUs, startUs + 3_400_000]
    return call(`${from}-${n}`, {
      from,
      to: `${from === lure ? 4915112 : 4930882}${30_000 + n}`,
      startUs,
      ringUs,
      endUs,
      releasedBy: 'caller',
    })
  })
}

async function send(server: ServerProcess, key: string, records: readonly Record<string, unknown>[]): Promise<void> {
  // As switches send them: when calls end.
  const inOrder = [...records].sort((a, b) => Number(a['endUs']) - Number(b['endUs']))
  const body = inOrder.map((record) => JSON.stringify(record)).join('\n')
  const headers = { authorization: `Bearer ${key}` }
  const answer = await eventually('the door to take records', async () => {
    const tried = await post(`${server.url}/v1/cdr?source=canonical`, 'application/x-ndjson', body, headers)
    return tried.status === 200 ? tried : undefined
  })
  assert.equal(answer.body['accepted'], records.length)
}

async function cases(server: ServerProcess, query = ''): Promise<CaseView[]> {
  return ((await server.get(`/v1/cases${query}`)) as { cases: CaseView[] }).cases
}

function caseOn(server: ServerProcess, from: string): Promise<CaseView> {
  return eventually(`a case on ${from}`, async () =>
    (await cases(server)).find(({ subject }) => subject.value === from),
  )
}

async function decide(server: ServerProcess, key: string, from: string): Promise<Record<string, unknown>> {
  const body = JSON.stringify({ from: `+${from}`, to: '+4915112345678' })
  const headers = { authorization: `Bearer ${key}` }
  return (await post(`${server.url}/v1/decisions`, 'application/json', body, headers)).body
}

async function act(server: ServerProcess, id: string, verb: string, note?: string): Promise<Record<string, unknown>> {
  const headers = { authorization: `Bearer ${server.key()}` }
  const { body, status } = await post(
    `${server.url}/v1/cases/${id}/${verb}`,
    'application/json',
    JSON.stringify(note === undefined ? {} : { note }),
    headers,
  )
  return { ...body, status }
}

describe('number fraud, live', () => {
  it('a campaign becomes a case; its next calls are blocked over HTTP and WebSocket, scored and shown', async () => {
    const server = await startServer({ config })
    try {
      const key = makeKey(server, 'ingest')
      await send(server, key, campaign(lure))
      const found = await caseOn(server, lure)
      assert.deepEqual([found.kind, found.state, found.verdict], ['wangiri', 'open', null])
      assert.ok(found.reasons.length > 1 && found.evidence.length > 0)
      const decision = await decide(server, key, lure)
      assert.deepEqual([decision['action'], decision['caseId']], ['block', found.id])
      assert.equal((await decide(server, key, '4930123456'))['action'], 'allow')

      const socket = new WebSocket(`${server.url.replace('http', 'ws')}/v1/cdr?source=canonical`, {
        headers: { authorization: `Bearer ${key}` },
      })
      await once(socket, 'open')
      socket.send(JSON.stringify({ ask: 7, from: lure, to: '4915112345678', route: 'carrier-a' }))
      const [answer] = (await once(socket, 'message')) as [Buffer]
      const told = JSON.parse(answer.toString()) as Record<string, unknown>
      assert.deepEqual([told['answer'], told['action'], told['caseId']], [7, 'block', found.id])
      socket.terminate()

      await send(server, key, [call('one-more', { from: lure, to: '4915119999999', ringUs: Date.now() * 1000 - 1000 })])
      const detail = await eventually('evidence and scores in the tables', async () => {
        const it = (await server.get(`/v1/cases/${found.id}`)) as CaseView & {
          cdrs: { id: string; from: string }[]
          series: { points: { attempts: number }[] }
          scores: { calls: number; actions: Record<string, number> }
        }
        const attempts = it.series.points.reduce((sum, point) => sum + point.attempts, 0)
        return it.cdrs.length >= it.evidence.length && it.scores.calls > 0 && attempts > 150 ? it : undefined
      })
      assert.ok(detail.cdrs.every(({ from }) => from === lure))
      // A call is in the table before it has waited its time for the windows.
      const profile = await eventually('all calls in the windows', async () => {
        const it = (await server.get(`/v1/numbers/+${lure}`)) as {
          cases: CaseView[]
          windows: Record<string, { attempts: number }>
          asCaller: { attempts: number }
        }
        return it.windows['1h']?.attempts === 151 ? it : undefined
      })
      assert.equal(profile.cases[0]?.id, found.id)
      assert.equal(profile.asCaller.attempts, 151)
      const report = (await server.get('/v1/analytics/fraud')) as { kinds: { kind: string; opened: number }[] }
      assert.deepEqual(
        report.kinds.map(({ kind, opened }) => [kind, opened]),
        [['wangiri', 1]],
      )
    } finally {
      await server.end('SIGTERM')
    }
  })

  it('a case keeps its id, and a dismissal holds, over SIGKILL', async () => {
    let server = await startServer({ config })
    const { dataDir } = server
    try {
      const key = makeKey(server, 'ingest')
      await send(server, key, [...campaign(lure), ...campaign('3545551234')])
      const [kept, dismissed] = [await caseOn(server, lure), await caseOn(server, '3545551234')]
      const said = await act(server, dismissed.id, 'dismiss', 'a survey we know')
      assert.deepEqual([said['state'], said['verdict'], said['note']], ['closed', 'dismissed', 'a survey we know'])
      assert.equal((await decide(server, key, '3545551234'))['action'], 'allow', 'the action ends at once')
      await server.end('SIGKILL')

      server = await startServer({ dataDir, config })
      await eventually('windows to be rebuilt', async () => {
        const { checks } = (await server.get('/v1/status')) as { checks: { fraud: { state: string } } }
        return checks.fraud.state === 'ok' ? true : undefined
      })
      assert.equal((await decide(server, key, lure))['caseId'], kept.id)
      // More of both: the case goes on, the dismissed one stays quiet.
      await send(server, key, [...campaign(lure, 151).slice(150), ...campaign('3545551234', 151).slice(150)])
      const after = await eventually('the case to go on', async () => {
        const it = (await cases(server)).find(({ id }) => id === kept.id)
        return it !== undefined && it.calls > kept.calls - 1 ? it : undefined
      })
      assert.equal(after.state, 'open')
      const all = await cases(server)
      assert.deepEqual(
        all.map(({ id, verdict }) => [id, verdict]),
        [
          [kept.id, null],
          [dismissed.id, 'dismissed'],
        ],
      )
      assert.equal((await act(server, dismissed.id, 'dismiss'))['status'], 409)
      const undone = await act(server, dismissed.id, 'confirm')
      assert.deepEqual([undone['state'], undone['verdict']], ['open', 'confirmed'])
      assert.equal((await decide(server, key, '3545551234'))['action'], 'block')
    } finally {
      await server.end('SIGTERM')
    }
  })
})
