/** The real server with a policy, and a Twilio that is asked to act on its calls. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from '../../src/core/project.ts'
import type { CallDetail } from '../../src/decisions/action-record.ts'
import { wavMulaw } from './recordings.ts'
import { eventually, type ServerProcess, startServer, testAccount, testPublicUrl } from './server-process.ts'
import { type CallerStream, TwilioCaller } from './twilio-caller.ts'
import { type TwilioCalls, twilioCalls } from './twilio-calls.ts'

export const synthetic = wavMulaw(readFileSync(join(projectRoot, 'fixtures/calls/synthetic-espeak-de.wav')))
export const human = wavMulaw(readFileSync(join(projectRoot, 'fixtures/calls/human-nl-woman.wav')))

export const check = '<Response><Say>One moment please.</Say><Pause length="60"/></Response>'
export const desk = '<Response><Dial>desk</Dial></Response>'
const sounds = { label: 'likely_synthetic', track: 'inbound' }
export const rules = [
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

export interface House {
  readonly server: ServerProcess
  readonly rest: TwilioCalls
  readonly caller: TwilioCaller
  call(callSid: string): Promise<CallDetail>
  /** The call once it is no longer live. */
  ended(callSid: string): Promise<CallDetail>
  post(path: string, body: object): Promise<{ status: number; body: Record<string, unknown> }>
  close(): Promise<void>
}

export async function house(actions: object): Promise<House> {
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

export function told(view: CallDetail): string[] {
  return view.actions.map(({ rule, action, state }) => `${rule} ${action} ${state}`)
}

export async function play(stream: CallerStream, recording: Uint8Array): Promise<void> {
  stream.recording(recording)
  stream.stop()
}
