/**
 * One detection and one action for one call, through the real process and a played Twilio, whatever happens to the
 * server: it is killed (SIGKILL) between verdict and request and between request and answer, the stream breaks, comes
 * twice, the call is transferred.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { projectRoot } from '../../src/core/project.ts'
import type { CallDetail } from '../../src/decisions/action-record.ts'
import { loadClips } from '../../src/simulator/clips.ts'
import type { PlayedCall } from '../../src/simulator/twilio-call.ts'
import { PlayedTwilio } from '../../src/simulator/twilio-rest.ts'
import { eventually, type ServerProcess, startServer, testAccount, testPublicUrl } from '../fakes/server-process.ts'

const check = '<Response><Say>One moment please.</Say><Pause length="60"/></Response>'
const heard = { label: 'likely_synthetic', track: 'inbound' }
const aside = { name: 'aside', when: { ...heard, to: ['120255501*'] }, do: { redirect: { twiml: check } } }
const hangUp = { name: 'hang-up', when: { ...heard, to: ['447700900*'] }, do: 'hangup' }
const note = { name: 'note', when: heard, do: { annotate: 'sounds generated' } }
const toDesk = { from: '+12025550177', to: '+12025550101' }
const toShop = { from: '+12025550178', to: '+447700900101' }

let twilio: PlayedTwilio
let server: ServerProcess

/** Room for two actions at a time, so that a third waits for its turn. */
function settings(): Record<string, unknown> {
  const account = { sid: testAccount.sid, authTokens: [testAccount.token], apiBaseUrl: twilio.url }
  const rest = { urgentAtOnce: 2, timeoutMs: 30_000, totalMs: 60_000 }
  return {
    server: { drainMs: 300 },
    twilio: { accounts: [account], track: 'inbound_track', rest },
    actions: { shadow: false, timeLimitMs: 30_000, rules: [note, aside, hangUp] },
  }
}

/** The call once it is as wanted. */
async function until(what: string, call: PlayedCall, fits: (view: CallDetail) => boolean): Promise<CallDetail> {
  let last: unknown
  return eventually(
    what,
    async () => {
      const response = await fetch(`${server.url}/v1/calls/${call.identity.callSid}`, {
        headers: { authorization: `Bearer ${server.key()}` },
      })
      last = await response.json()
      return response.status === 200 && fits(last as CallDetail) ? (last as CallDetail) : undefined
    },
    60_000,
  ).catch((thrown: unknown) => {
    throw new Error(`${String(thrown)}: ${JSON.stringify(last).slice(0, 3000)}`)
  })
}

function updates(call: PlayedCall): object[] {
  const end = `/Calls/${call.identity.callSid}.json`
  return twilio.requests.filter(({ method, path }) => method === 'POST' && path.endsWith(end)).map(({ form }) => form)
}

function told({ actions }: CallDetail): string[] {
  return actions.map(({ rule, state, result }) => `${rule} ${state}${result === null ? '' : ` ${result.code}`}`)
}

async function restart(signal: NodeJS.Signals): Promise<void> {
  await server.end(signal)
  server = await startServer({ dataDir: server.dataDir, config: settings() })
  twilio.moveTarget(server.url)
}

describe('one call', () => {
  before(async () => {
    const clips = loadClips(join(projectRoot, 'fixtures/calls')).filter(
      ({ name }) => name === 'synthetic-espeak-de.wav',
    )
    const target = { publicUrl: testPublicUrl, accountSid: testAccount.sid, authToken: testAccount.token }
    twilio = await PlayedTwilio.listen({
      target: { origin: 'http://127.0.0.1:9', ...target },
      clips,
      clock: systemClock,
    })
    server = await startServer({ config: settings() })
    twilio.moveTarget(server.url)
  })

  after(async () => {
    await twilio?.close()
    await server?.end('SIGTERM')
  })

  it('has one action, of the first verdict, over a broken stream, a second one and a transfer', async () => {
    const call = await twilio.ring(toDesk)
    const first = await until('the redirect', call, (view) => told(view).includes('aside done'))
    assert.deepEqual(told(first), ['note done', 'aside done'])
    call.breakStreams()
    await eventually('another stream', async () => (call.tracksInUse === 1 ? true : undefined))
    await twilio.ringAgain(call)
    call.redirect('<Response><Dial>+12025550177</Dial></Response>')
    const audioMs = first.tracks[0]?.audioMs ?? 0
    const last = await until('more speech', call, ({ tracks }) => (tracks[0]?.audioMs ?? 0) > audioMs + 4000)
    assert.deepEqual(told(last), ['note done', 'aside done'])
    assert.deepEqual(updates(call), [{ Twiml: check }])
    const { callSid } = call.identity
    const { detections } = (await server.get(`/v1/detections?callSid=${callSid}`)) as { detections: unknown[] }
    assert.equal(detections.length, 1)
    call.end()
  })

  it('that was acted upon is left alone by the next process; hands off holds there, too', async () => {
    const [acted, spared] = [await twilio.ring(toDesk), await twilio.ring(toDesk)]
    const response = await fetch(`${server.url}/v1/calls/${spared.identity.callSid}/hands-off`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.key()}`, 'content-type': 'application/json' },
      body: JSON.stringify({ on: true }),
    })
    assert.equal(response.status, 200)
    await until('the redirect', acted, (view) => told(view).includes('aside done'))
    await restart('SIGKILL')
    const again = await until('a verdict after the kill', acted, isJudgedAgain)
    assert.deepEqual(told(again), ['note done', 'aside done'])
    assert.equal(updates(acted).length, 1)
    const still = await until('a verdict of the spared call', spared, (view) => view.actions.length > 0)
    assert.ok(still.handsOff !== null && still.actions.every(({ state }) => state === 'withheld'))
    assert.equal(updates(spared).length, 0)
    for (const call of [acted, spared]) call.end()
  })

  it('is redirected at most once and surely hung up, whether the kill comes before or after the request', async () => {
    const redirected = await twilio.ring(toDesk)
    const unheard = await twilio.ring(toShop)
    const only = (call: PlayedCall): string =>
      `POST /2010-04-01/Accounts/${testAccount.sid}/Calls/${call.identity.callSid}.json`
    twilio.trouble({ kind: 'unanswered', match: only(redirected), times: 1 })
    twilio.trouble({ kind: 'silence', match: only(unheard), times: 1 })
    await eventually(
      'both requests',
      async () => (updates(redirected).length + updates(unheard).length === 2 ? true : undefined),
      60_000,
    )
    // Both places are taken: what is decided about this one waits.
    const waiting = await twilio.ring(toDesk)
    await until('the third decision', waiting, (view) => told(view).includes('aside planned'))
    assert.deepEqual(updates(waiting), [])

    await restart('SIGKILL')
    const asked = await until('the third redirect', waiting, (view) => told(view).includes('aside done'))
    assert.deepEqual(
      told(asked).filter((each) => each.startsWith('aside')),
      ['aside failed interrupted', 'aside done'],
    )
    assert.deepEqual(updates(waiting), [{ Twiml: check }])

    const over = await until('the hang-up', unheard, (view) => told(view).includes('hang-up done'))
    assert.equal(over.actions.filter(({ rule }) => rule === 'hang-up').length, 1)
    assert.deepEqual(updates(unheard), [{ Status: 'completed' }, { Status: 'completed' }])
    assert.equal(unheard.status, 'completed')

    const known = await until('a verdict after the kill', redirected, isJudgedAgain)
    assert.ok(told(known).includes('aside failed outcome_unknown'), told(known).join())
    assert.deepEqual(redirected.redirects, [check])
    assert.deepEqual(updates(redirected), [{ Twiml: check }])
    for (const call of [redirected, waiting]) call.end()
  })

  it('that was hung up without an answer is known as hung up', async () => {
    const call = await twilio.ring(toShop)
    twilio.trouble({
      kind: 'unanswered',
      match: `POST /2010-04-01/Accounts/${testAccount.sid}/Calls/${call.identity.callSid}.json`,
      times: 1,
    })
    await eventually('the request', async () => (updates(call).length === 1 ? true : undefined), 60_000)
    await restart('SIGKILL')
    const view = await until('the outcome', call, (now) => told(now).includes('hang-up done'))
    assert.equal(view.actions.filter(({ rule }) => rule === 'hang-up').length, 1)
  })

  it('is acted upon once over an orderly stop in the midst of it', async () => {
    const call = await twilio.ring(toDesk)
    twilio.delayMs = 1000
    await eventually('the request', async () => (updates(call).length === 1 ? true : undefined), 60_000)
    twilio.delayMs = 0
    await restart('SIGTERM')
    const again = await until('a verdict of the next process', call, isJudgedAgain)
    assert.deepEqual(told(again), ['note done', 'aside done'], 'the stop waited for the answer')
    assert.equal(updates(call).length, 1)
  })
})

function isJudgedAgain({ state, tracks }: CallDetail): boolean {
  return state === 'live' && tracks[0]?.label === 'likely_synthetic'
}
