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
const codes = '447700900'
const nobody = '12025550123'

/** One ring to number after number over the last ten minutes. */
function missedCalls(): Record<string, unknown>[] {
  return Array.from({ length: 200 }, (_, n) => {
    const startUs = Math.round((Date.now() - 590_000 + n * 2900) * 1000)
    const times = { startUs, ringUs: startUs, endUs: startUs + 3_400_000 }
    return call(`w${n}`, { from: lure, to: `4915112${30_000 + n}`, ...times })
  })
}

/** Calls that end before anybody can answer, from a range whose last digits are the code. */
function flashCalls(): Record<string, unknown>[] {
  return Array.from({ length: 600 }, (_, n) => {
    const ringUs = Math.round((Date.now() - 590_000 + n * 970) * 1000)
    const times = { startUs: ringUs - 1_000_000, ringUs, endUs: ringUs + (1300 + ((n * 61) % 300)) * 1000 }
    const from = `${codes}${String((n * 379) % 1000).padStart(3, '0')}`
    const to = `49308${100_000 + ((n * 73_939) % 900_000)}`
    return call(`f${n}`, { from, to, ...times, ingress: 'transit-a', causeQ850: 16, causeSip: 487 })
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
  return eventually(
    `a ${kind} case on ${from}`,
    async () => {
      const { cases } = (await server.get('/v1/cases')) as { cases: CaseView[] }
      return cases.find((it) => it.kind === kind && it.subject.value === from)
    },
    60_000,
  )
}

/** What the configuration as shipped gives: the weight of the kind, of a range 0.6 of it. */
const told = {
  wangiri: { place: 'number', weight: 1 },
  flash_call: { place: 'range', weight: 0.42 },
} as const

function checkCase(risk: CallRisk | null, kind: keyof typeof told, score: number): void {
  const part = risk?.parts.find(({ code }) => code === `case_${kind}`)
  assert.ok(part, `${kind} in ${JSON.stringify(risk)}`)
  const { place, weight } = told[kind]
  // The case may have grown since it was looked at.
  assert.ok(Math.abs(part.logOdds - weight * score) < 0.1, JSON.stringify(part))
  assert.match(part.text, new RegExp(`^open ${kind} case on the caller's ${place}, score [01]\\.\\d\\d.*: odds x`))
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

    await send(server, [...missedCalls(), ...flashCalls()])
    const found = [await caseOn(server, 'wangiri', lure), await caseOn(server, 'flash_call', codes)]

    const to = '+12025550199'
    const callers = [lure, `${codes}147`, nobody].map((from) => ({ from: `+${from}`, to }))
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
      const kind = it.kind as keyof typeof told
      checkCase(view?.risk ?? null, kind, it.score)
      checkCase(view?.actions[0]?.evidence.risk ?? null, kind, it.score)
      const [voice, ...others] = view?.risk?.parts ?? []
      const sum = others.reduce((total, part) => total + part.logOdds, voice?.logOdds ?? 0)
      assert.ok(Math.abs(sum - (view?.risk?.logOdds ?? 0)) < 1e-3, 'the parts add up')
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
