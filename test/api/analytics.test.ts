/** What may be asked, and what is said when it may not. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Analytics } from '../../src/api/analytics.ts'
import { ManualClock } from '../../src/core/clock.ts'
import { OperatingError } from '../../src/core/errors.ts'
import type { Span } from '../../src/storage/report-span.ts'
import { VoiceReports } from '../../src/storage/voice-reports.ts'
import { request } from '../fakes/people.ts'

const now = Date.UTC(2026, 2, 1, 12)
let asked: Span | null = null
const reports = {
  traffic: async (span: Span) => {
    asked = span
    return { points: [], routes: [] }
  },
  quality: async () => [],
}
let checked: Pick<Span, 'fromMs' | 'toMs'> | null = null
const selfCheck = {
  check: async (span: Pick<Span, 'fromMs' | 'toMs'>) => {
    checked = span
    return { agrees: true, waitingEntries: 0, days: [], arrivals: [] }
  },
}
const analytics = new Analytics({
  reports,
  selfCheck,
  fraud: { report: async () => ({ points: [], kinds: [] }) },
  voice: new VoiceReports({ query: async () => [] }),
  clock: new ManualClock(now),
})

async function ask(report: string, query = ''): Promise<Record<string, unknown>> {
  const answer = await analytics.report(request(`/v1/analytics/${report}?${query}`, { params: { report } }))
  return JSON.parse(String(answer.body)) as Record<string, unknown>
}

async function refusal(report: string, query: string): Promise<string> {
  return ask(report, query).then(
    () => 'answered',
    (thrown: unknown) => (thrown instanceof OperatingError ? thrown.code : String(thrown)),
  )
}

describe('GET /v1/analytics', () => {
  it('asks for the last hour of traffic by the minute, unless told otherwise', async () => {
    const body = await ask('traffic')
    assert.deepEqual(asked, { fromMs: now - 3_600_000, toMs: now, stepSeconds: 60 })
    assert.deepEqual([body['from'], body['to']], ['2026-03-01T11:00:00.000Z', '2026-03-01T12:00:00.000Z'])
    await ask('traffic', `from=2026-03-01T00:00:00Z&to=${now}&step=3600`)
    assert.deepEqual(asked, { fromMs: Date.UTC(2026, 2, 1), toMs: now, stepSeconds: 3600 })
  })

  it('checks the last seven days against themselves, unless told otherwise', async () => {
    const body = await ask('selfcheck')
    assert.deepEqual([checked?.fromMs, checked?.toMs], [now - 7 * 86_400_000, now])
    assert.equal(body['agrees'], true)
  })

  it('refuses other reports, spans that end before they begin, and steps that give too many points', async () => {
    assert.equal(await refusal('gossip', ''), 'not_found')
    assert.equal(await refusal('traffic', 'from=yesterday'), 'bad_request')
    assert.equal(await refusal('traffic', `from=${now}&to=${now - 1}`), 'bad_request')
    assert.equal(await refusal('traffic', 'step=1'), 'bad_request')
    assert.equal(await refusal('traffic', 'form=2026-03-01'), 'bad_request')
    assert.equal(await refusal('traffic', `from=${now - 300 * 86_400_000}&step=60`), 'bad_request')
    assert.equal(await refusal('quality', `from=${now - 401 * 86_400_000}`), 'bad_request')
  })
})
