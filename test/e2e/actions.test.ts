/**
 * The firewall acts: from Twilio's socket to a request at Twilio's REST API and rows in ClickHouse, through the real
 * server process; in shadow and in force, by webhook, stream, verdict, redirect, hang-up and a person's word.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { projectRoot } from '../../src/core/project.ts'
import type { CallDetail } from '../../src/decisions/action-record.ts'
import { wavMulaw } from '../fakes/recordings.ts'
import { eventually, type ServerProcess, startServer, testAccount, testPublicUrl } from '../fakes/server-process.ts'
import { type CallerStream, randomSid, TwilioCaller } from '../fakes/twilio-caller.ts'
import { type TwilioCalls, twilioCalls } from '../fakes/twilio-calls.ts'

const synthetic = wavMulaw(readFileSync(join(projectRoot, 'fixtures/calls/synthetic-espeak-de.wav')))
const human = wavMulaw(readFileSync(join(projectRoot, 'fixtures/calls/human-nl-woman.wav')))

const check = '<Response><Say>One moment please.</Say><Pause length="60"/></Response>'
const desk = '<Response><Dial>desk</Dial></Response>'
const sounds = { label: 'likely_synthetic', track: 'inbound' }
const rules = [
  { name: 'watch', when: sounds, do: 'observe' },
  { name: 'note', when: { ...sounds, dwellMs: 500 }, do: { annotate: 'sounds generated' } },
  { name: 'tell', when: { ...sounds, dwellMs: 1000 }, do: 'notify' },
  {
    name: 'aside',
    when: { ...sounds, dwellMs: 1500, confidenceMin: 0.5 },
    do: { redirect: { twiml: check }, back: { twiml: desk } },
  },
  { name: 'hang-up', when: { ...sounds, dwellMs: 4000, confidenceMin: 0.6 }, do: 'hangup' },
]

interface House {
  readonly server: ServerProcess
  readonly rest: TwilioCalls
  readonly caller: TwilioCaller
  call(callSid: string): Promise<CallDetail>
  /** The call once it is no longer live. */
  ended(callSid: string): Promise<CallDetail>
  post(path: string, body: object): Promise<{ status: number; body: Record<string, unknown> }>
  close(): Promise<void>
}

async function house(actions: object): Promise<House> {
  const rest = await twilioCalls(testAccount)
  const account = { sid: testAccount.sid, authTokens: [testAccount.token], apiBaseUrl: rest.url }
  const server = await startServer({
    config: { twilio: { accounts: [account] }, actions: { rules, ...actions } },
  }).catch((thrown: unknown) => {
    rest.close()
    throw thrown
  })
  const who = { publicUrl: testPublicUrl, accountSid: testAccount.sid, authToken: testAccount.token }
  const call = async (callSid: string): Promise<CallDetail> => (await server.get(`/v1/calls/${callSid}`)) as CallDetail
  return {
    server,
    rest,
    caller: new TwilioCaller({ url: server.url, ...who }),
    call,
    ended: (callSid) =>
      eventually(`${callSid} to end`, async () => {
        const view = await call(callSid)
        const open = view.state === 'live' || view.actions.some((action) => action.state === 'planned')
        return open ? undefined : view
      }),
    post: async (path, body) => {
      const headers = { authorization: `Bearer ${server.key()}`, 'content-type': 'application/json' }
      const response = await fetch(server.url + path, { method: 'POST', headers, body: JSON.stringify(body) })
      return { status: response.status, body: (await response.json()) as Record<string, unknown> }
    },
    close: async () => {
      // First what keeps this process alive: a test that fails must end, too.
      rest.close()
      assert.equal(await server.end('SIGTERM'), 0, 'SIGTERM ends the server in good order')
    },
  }
}

function told(view: CallDetail): string[] {
  return view.actions.map(({ rule, action, state }) => `${rule} ${action} ${state}`)
}

/** The door for records is for its own role. */
function ingestKey(server: ServerProcess): string {
  const config = ['--config', join(server.dataDir, 'test.yaml')]
  const args = [
    join(projectRoot, 'dist/src/cli.js'),
    'key',
    'create',
    '--role',
    'ingest',
    '--name',
    'switch',
    ...config,
  ]
  return (
    execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      .trim()
      .split('\n')
      .at(-1) ?? ''
  )
}

async function play(stream: CallerStream, recording: Uint8Array): Promise<void> {
  stream.recording(recording)
  stream.stop()
}

describe('the firewall in shadow, as shipped', () => {
  let at: House
  before(async () => {
    at = await house({})
  })
  after(() => at?.close())

  it('asks Twilio nothing, and says what it would have done and why', async () => {
    const callSid = randomSid('CA')
    await play(await at.caller.stream(callSid), synthetic)
    const view = await at.ended(callSid)
    assert.deepEqual(told(view), [
      'watch observe shadow',
      'note annotate shadow',
      'tell notify shadow',
      'aside redirect shadow',
      'hang-up hangup superseded',
    ])
    assert.equal(at.rest.asked.length, 0)
    const aside = view.actions[3]
    assert.match(
      aside?.text ?? '',
      /^shadow: the call would have been redirected \(rule aside\): label likely_synthetic/,
    )
    assert.match(aside?.evidence.model.sha256 ?? '', /^[0-9a-f]{64}$/)
    assert.ok((aside?.evidence.windows.length ?? 0) > 5)
    const parts = aside?.evidence.risk.parts.map((part) => part.code) ?? []
    assert.equal(parts[0], 'voice')
    assert.ok(parts.includes('stir_none'))
  })

  it('has nothing to say about a person', async () => {
    const callSid = randomSid('CA')
    await play(await at.caller.stream(callSid), human)
    assert.deepEqual((await at.ended(callSid)).actions, [])
  })
})

describe('the firewall in force', () => {
  let at: House
  before(async () => {
    at = await house({ shadow: false })
  })
  after(() => at?.close())

  it('redirects the call at Twilio once, while its stream goes on, and tells every step as an event', async (test) => {
    const abort = new AbortController()
    test.after(() => abort.abort())
    const headers = { authorization: `Bearer ${at.server.key()}` }
    const events = await fetch(`${at.server.url}/v1/events?types=action`, { headers, signal: abort.signal })
    const callSid = randomSid('CA')
    await play(await at.caller.stream(callSid), synthetic)
    const view = await at.ended(callSid)
    const asked = at.rest.asked.filter((update) => update.callSid === callSid)
    assert.deepEqual(
      asked.map((update) => update.form),
      [{ Twiml: check }],
    )
    assert.deepEqual(told(view).slice(3), ['aside redirect done', 'hang-up hangup superseded'])
    const latencyMs = view.actions[3]?.latencyMs ?? Number.NaN
    assert.ok(latencyMs >= 0 && latencyMs < 1000, `${latencyMs} ms from verdict to request`)
    let text = ''
    assert.ok(events.body)
    for await (const chunk of events.body) {
      text += new TextDecoder().decode(chunk as Uint8Array)
      if (text.includes('"rule":"hang-up"')) break
    }
    const aside = text.split('\n').filter((line) => line.startsWith('data: ') && line.includes('"rule":"aside"'))
    const changes = aside.map((line) => (JSON.parse(line.slice(6)) as { change: string }).change)
    assert.deepEqual(changes.slice(0, 1), ['decided'])
    assert.ok(!text.includes('"windows"'), 'the evidence is asked for')
  })

  it('acts once on a call whose stream drops and comes back, within the grace and after it', async () => {
    const callSid = randomSid('CA')
    const first = await at.caller.stream(callSid)
    first.recording(synthetic.subarray(0, 64_000))
    await eventually('the redirect', async () => (at.rest.asked.some((u) => u.callSid === callSid) ? true : undefined))
    first.socket.close()
    const second = await at.caller.stream(callSid)
    second.recording(synthetic.subarray(64_000))
    second.stop()
    await at.ended(callSid)
    await play(await at.caller.stream(callSid), synthetic)
    const view = await at.ended(callSid)
    assert.equal(view.actions.filter(({ state }) => state === 'done' || state === 'planned').length, 4)
    assert.equal(at.rest.asked.filter((update) => update.callSid === callSid).length, 1)
  })

  it('acts once on a call with two streams at a time', async () => {
    const callSid = randomSid('CA')
    const one = await at.caller.stream(callSid)
    const two = await at.caller.stream(callSid)
    for (let from = 0; from < synthetic.length; from += 160) {
      one.media(synthetic.subarray(from, from + 160))
      two.media(synthetic.subarray(from, from + 160))
    }
    two.stop()
    one.stop()
    const view = await at.ended(callSid)
    assert.equal(view.tracks.length, 1)
    assert.equal(at.rest.asked.filter((update) => update.callSid === callSid).length, 1)
  })

  it('leads the call back when an operator says so, stored with the name', async () => {
    const callSid = randomSid('CA')
    await play(await at.caller.stream(callSid), synthetic)
    const aside = (await at.ended(callSid)).actions.find((action) => action.rule === 'aside')
    const { status, body } = await at.post(`/v1/calls/${callSid}/actions/${aside?.id}/undo`, {})
    assert.equal(status, 200, JSON.stringify(body))
    assert.equal(body['state'], 'undone')
    const forms = at.rest.asked.filter((update) => update.callSid === callSid).map((update) => update.form)
    assert.deepEqual(forms, [{ Twiml: check }, { Twiml: desk }])
    assert.equal((await at.post(`/v1/calls/${callSid}/actions/${aside?.id}/undo`, {})).status, 409)
  })

  it('does nothing to a call that an operator took from it', async () => {
    const callSid = randomSid('CA')
    const stream = await at.caller.stream(callSid)
    await eventually('the call', async () => (await at.call(callSid).catch(() => undefined)) ?? undefined)
    assert.equal((await at.post(`/v1/calls/${callSid}/hands-off`, { on: true, note: 'known' })).status, 200)
    await play(stream, synthetic)
    const view = await at.ended(callSid)
    assert.ok(view.actions.length >= 4)
    assert.deepEqual([...new Set(view.actions.map((action) => action.state))], ['withheld'])
    assert.equal(view.handsOff?.note, 'known')
    assert.equal(at.rest.asked.filter((update) => update.callSid === callSid).length, 0)
  })

  it('lets the call go on when Twilio does not know it, or breaks, and says so', async () => {
    at.rest.mode = 'gone'
    const callSid = randomSid('CA')
    await play(await at.caller.stream(callSid), synthetic)
    const view = await at.ended(callSid)
    at.rest.mode = 'well'
    const aside = view.actions.find((action) => action.rule === 'aside')
    assert.deepEqual([aside?.state, aside?.result?.code], ['failed', 'call_over'])
    assert.equal(view.tracks[0]?.label, 'likely_synthetic', 'the verdict stands')
    assert.equal(view.tracks[0]?.audioMs, Math.floor(synthetic.length / 4000) * 500, 'every hop was heard')
  })
})

describe('a stored decision', () => {
  it('is told after a restart as it was, and an annotation can still be withdrawn', async (test) => {
    const first = await house({ shadow: false, rules: rules.slice(0, 3) })
    test.after(() => first.rest.close())
    test.after(() => void first.server.child.kill('SIGKILL'))
    const callSid = randomSid('CA')
    await play(await first.caller.stream(callSid), synthetic)
    const before = await first.ended(callSid)
    const { dataDir } = first.server
    await first.close()
    const server = await startServer({ dataDir })
    test.after(() => void server.child.kill('SIGKILL'))
    const view = (await server.get(`/v1/calls/${callSid}`)) as CallDetail
    assert.deepEqual(view.actions, before.actions)
    const note = view.actions.find((action) => action.action === 'annotate')
    const response = await fetch(`${server.url}/v1/calls/${callSid}/actions/${note?.id}/undo`, {
      method: 'POST',
      headers: { authorization: `Bearer ${server.key()}` },
    })
    assert.equal(response.status, 200)
    await eventually('the withdrawal to be stored', async () => {
      const { actions } = (await server.get(`/v1/calls/${callSid}`)) as CallDetail
      return actions.some((action) => action.state === 'undone') ? true : undefined
    })
    assert.equal(await server.end('SIGTERM'), 0)
  })
})

describe('hanging up', () => {
  it('completes the call at Twilio when the rule says so', async (test) => {
    const at = await house({ shadow: false, rules: [rules[4]] })
    test.after(() => at.close())
    const callSid = randomSid('CA')
    await play(await at.caller.stream(callSid), synthetic)
    const view = await at.ended(callSid)
    assert.deepEqual(told(view), ['hang-up hangup done'])
    assert.deepEqual(
      at.rest.asked.map(({ form }) => form),
      [{ Status: 'completed' }],
    )
  })
})

describe('voice joined with signalling', () => {
  it('counts the records of the caller in the risk of its call, with their weight', async (test) => {
    const at = await house({})
    test.after(() => at.close())
    const startUs = (Date.now() - 600_000) * 1000
    const records = Array.from({ length: 120 }, (_, n) => {
      const beganUs = startUs + n * 4_000_000
      const answerUs = n % 8 === 0 ? beganUs + 2_000_000 : null
      const numbers = { from: '15005550006', to: `1202555${String(1000 + n * 37).slice(-4)}`, ingress: 'inbound' }
      return { id: `r${n}`, callId: `r${n}`, startUs: beganUs, answerUs, endUs: beganUs + 6_000_000, ...numbers }
    })
    const headers = { authorization: `Bearer ${ingestKey(at.server)}`, 'content-type': 'application/json' }
    const response = await fetch(`${at.server.url}/v1/cdr?source=canonical`, {
      method: 'POST',
      headers,
      body: JSON.stringify(records),
    })
    assert.equal(((await response.json()) as { accepted: number }).accepted, 120)
    await eventually('the records to be stored', async () => {
      const answer = await fetch(`${at.server.url}/v1/numbers/15005550006`, {
        headers: { authorization: `Bearer ${at.server.key()}` },
      })
      const { recent } = (await answer.json()) as { recent?: unknown[] }
      return (recent?.length ?? 0) > 0 ? true : undefined
    })
    const callSid = randomSid('CA')
    await play(await at.caller.stream(callSid), synthetic)
    const { evidence } = (await at.ended(callSid)).actions.at(-1) ?? assert.fail('no action')
    const history = evidence.risk.parts.find(({ code }) => code.startsWith('history_'))
    assert.equal(history?.code, 'history_dialler', JSON.stringify(evidence.risk))
    const voice = evidence.risk.parts.find(({ code }) => code === 'voice')
    assert.ok(evidence.risk.logOdds > (voice?.logOdds ?? 0), 'signalling speaks against the call')
  })
})
