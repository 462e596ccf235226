/**
 * Voice joined with signalling, through the whole process: records of a wangiri and of a flash-call campaign become
 * cases, and live calls from their numbers carry those cases in their risk, each with its weight, in the API, in the
 * evidence of a decision and on the page.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { projectRoot } from '../../src/core/project.ts'
import type { CallDetail } from '../../src/decisions/action-record.ts'
import type { CallRisk } from '../../src/decisions/call-risk.ts'
import type { CaseView } from '../../src/decisions/case-view.ts'
import { loadClips } from '../../src/simulator/clips.ts'
import { PlayedTwilio } from '../../src/simulator/twilio-rest.ts'
import { openBrowser } from '../fakes/browser.ts'
import { call, post } from '../fakes/cdr-doors.ts'
import { makeKey } from '../fakes/keys.ts'
import { eventually, type ServerProcess, startServer, testAccount, testPublicUrl } from '../fakes/server-process.ts'

const lure = '2215550001'
const blinker = '447700900147'
const nobody = '12025550123'

/** Missed calls to number after number over the last ten minutes, each ringing so long. */
function campaign(from: string, ringMs: number): Record<string, unknown>[] {
  return Array.from({ length: 200 }, (_, n) => {
    const startUs = Math.round((Date.now() - 590_000 + n * 2900) * 1000)
    const times = { startUs, ringUs: startUs, endUs: startUs + ringMs * 1000 }
    return call(`${from}-${n}`, { from, to: `4915112${30_000 + n}`, ...times, releasedBy: 'caller' })
  })
}

async function send(server: ServerProcess, records: readonly Record<string, unknown>[]): Promise<void> {
  // As switches send them: when calls end.
  const inOrder = [...records].sort((a, b) => Number(a['endUs']) - Number(b['endUs']))
  const body = inOrder.map((record) => JSON.stringify(record)).join('\n')
  const headers = { authorization: `Bearer ${makeKey(server, 'ingest')}` }
  const answer = await post(`${server.url}/v1/cdr?source=canonical`, 'application/x-ndjson', body, headers)
  assert.equal(answer.body['accepted'], records.length)
}

function caseOn(server: ServerProcess, kind: string, from: string): Promise<CaseView> {
  return eventually(`a ${kind} case on ${from}`, async () => {
    const { cases } = (await server.get('/v1/cases')) as { cases: CaseView[] }
    return cases.find((it) => it.kind === kind && it.subject.value === from)
  })
}

/** What the configuration as shipped gives a case of a number: its weight times its score. */
const weights = { wangiri: 1, flash_call: 0.7 } as const

function checkCase(risk: CallRisk | null, { kind, score }: CaseView): void {
  const part = risk?.parts.find(({ code }) => code === `case_${kind}`)
  assert.ok(part, `${kind} in ${JSON.stringify(risk)}`)
  // The case may have grown since it was looked at.
  assert.ok(Math.abs(part.logOdds - weights[kind as keyof typeof weights] * score) < 0.1, JSON.stringify(part))
  assert.match(part.text, new RegExp(`^open ${kind} case on the caller's number, score 0\\.\\d\\d.*: odds x`))
}

describe('a live call from a number of a campaign', () => {
  it('has the case in its risk with its weight: in the API, in the decision and on the page', async (t) => {
    const rules = [
      { name: 'lured', when: { label: 'likely_synthetic', caseKinds: ['wangiri', 'flash_call'] }, do: 'observe' },
    ]
    const config = { cdr: { windows: { latenessMs: 500 } }, actions: { rules }, twilio: { track: 'inbound_track' } }
    const server = await startServer({ config })
    t.after(() => server.end('SIGTERM'))
    const clips = loadClips(join(projectRoot, 'fixtures/calls')).filter(
      ({ name }) => name === 'synthetic-espeak-de.wav',
    )
    const { sid: accountSid, token: authToken } = testAccount
    const target = { origin: server.url, publicUrl: testPublicUrl, accountSid, authToken }
    const twilio = await PlayedTwilio.listen({ target, clips, clock: systemClock })
    t.after(() => twilio.close())

    await send(server, [...campaign(lure, 3400), ...campaign(blinker, 500)])
    const found = [await caseOn(server, 'wangiri', lure), await caseOn(server, 'flash_call', blinker)]

    const to = '+12025550199'
    const callers = [lure, blinker, nobody].map((from) => ({ from: `+${from}`, to }))
    const calls = await Promise.all(callers.map((numbers) => twilio.ring(numbers)))
    const views = await Promise.all(
      calls.map(({ identity: { callSid } }, index) =>
        eventually(
          `the verdict of call ${index}`,
          async () => {
            const view = (await server.get(`/v1/calls/${callSid}`)) as CallDetail
            const isJudged = view.tracks[0]?.label === 'likely_synthetic' && (index === 2 || view.actions.length > 0)
            return isJudged ? view : undefined
          },
          60_000,
        ),
      ),
    )
    for (const [index, it] of found.entries()) {
      const view = views[index]
      checkCase(view?.risk ?? null, it)
      checkCase(view?.actions[0]?.evidence.risk ?? null, it)
      const [voice, ...others] = view?.risk?.parts ?? []
      const sum = others.reduce((total, part) => total + part.logOdds, voice?.logOdds ?? 0)
      assert.ok(Math.abs(sum - (view?.risk?.logOdds ?? 0)) < 1e-3, 'the parts add up')
      assert.ok((view?.risk?.logOdds ?? 0) > (voice?.logOdds ?? 0), 'the case speaks against the call')
    }
    const clean = views[2]
    assert.deepEqual(clean?.actions, [])
    assert.ok(clean?.risk?.parts.every(({ code }) => !code.startsWith('case_')))

    const browser = await openBrowser()
    t.after(() => browser.close())
    const page = await browser.newPage()
    page.setDefaultTimeout(60_000)
    await page.goto(`${server.url}/#key=${server.key()}`)
    await page.waitForSelector('.connection-live')
    await page.goto(`${server.url}/#/calls/${calls[0]?.identity.callSid}`)
    await page.locator('details.risk summary').click()
    const shown = await page.locator('.risk-parts').innerText()
    assert.match(shown, /open wangiri case on the caller's number/)
    assert.match(shown, /\+(0\.[89]|1\.0)\d?/, 'its weight, about +1')
  })
})
