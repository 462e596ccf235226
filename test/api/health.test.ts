import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { CheckResult } from '../../src/api/health.ts'
import { fakeApi } from '../fakes/api.ts'
import { ask, askJson, headersOf, request } from '../fakes/people.ts'

describe('health', () => {
  it('says alive whatever the parts do', async () => {
    const api = fakeApi({ checks: { storage: () => ({ state: 'failed' }) } })
    assert.equal((await askJson(api.routes, request('/healthz'))).status, 200)
  })

  it('is ready when all is well, degraded but ready when a part copes, 503 when one fails', async () => {
    const ok: CheckResult = { state: 'ok', detail: 'voice/1' }
    const degraded: CheckResult = { state: 'degraded', detail: 'spooling, 120 rows wait' }
    const throws = () => {
      throw new Error('no such worker')
    }
    const cases = [
      [{ model: () => ok }, 200, 'ready'],
      [{ model: () => ok, storage: () => degraded }, 200, 'degraded'],
      [{ model: () => ok, storage: () => degraded, workers: throws }, 503, 'not_ready'],
    ] as const
    for (const [checks, status, word] of cases) {
      const answer = await askJson(fakeApi({ checks }).routes, request('/readyz'))
      assert.deepEqual([answer.status, answer.body['status']], [status, word])
    }
  })

  it('tells each check by name', async () => {
    const api = fakeApi({ checks: { storage: () => ({ state: 'degraded', detail: 'spooling' }) } })
    const { body } = await askJson(api.routes, request('/readyz'))
    assert.deepEqual(body['checks'], { storage: { state: 'degraded', detail: 'spooling' } })
  })

  it('tells viewers the model and its thresholds with the checks, also while not ready', async () => {
    const api = fakeApi({ checks: { workers: () => ({ state: 'failed' }) } })
    const { status, body } = await askJson(api.routes, request('/v1/status', { header: api.header }))
    assert.equal(status, 200)
    assert.deepEqual(body, {
      status: 'not_ready',
      version: '0.1.0',
      checks: { workers: { state: 'failed' } },
      model: 'voice/1',
      thresholds: { synthetic: 0.8, human: 0.3 },
      at: '2026-01-01T00:00:00.000Z',
    })
  })

  it('gives metrics to everybody, or to viewers when so configured', async () => {
    const open = await ask(fakeApi().routes, request('/metrics'))
    assert.deepEqual(
      [open.status, headersOf(open)['content-type'], 'body' in open && open.body],
      [200, 'text/plain; version=0.0.4; charset=utf-8', 'voicefw_up 1\n'],
    )
    const api = fakeApi({ metricsPublic: false })
    assert.equal((await ask(api.routes, request('/metrics'))).status, 401)
    assert.equal((await ask(api.routes, request('/metrics', { header: api.header }))).status, 200)
  })
})
