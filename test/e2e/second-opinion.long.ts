/**
 * A second opinion in the real process: a call's audio goes to a vendor on loopback that speaks Resemble's contract,
 * its score comes back beside ours and is stored; a vendor that is silent, broke or broken delays no verdict.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { projectRoot } from '../../src/core/project.ts'
import { wavMulaw } from '../fakes/recordings.ts'
import { eventually, type ServerProcess, startServer, testAccount, testPublicUrl } from '../fakes/server-process.ts'
import { randomSid, TwilioCaller } from '../fakes/twilio-caller.ts'
import { httpVendor, type VendorAnswer } from '../fakes/vendors.ts'

interface Call {
  readonly state: string
  readonly tracks: readonly {
    readonly label: string
    readonly audioMs: number
    readonly reasons: readonly { readonly code: string; readonly text: string }[]
    readonly opinions?: readonly { readonly vendor: string; readonly score: number | null; readonly audioMs: number }[]
  }[]
}

const human = wavMulaw(readFileSync(join(projectRoot, 'fixtures/calls/human-nl-man.wav')))

const judged: VendorAnswer = {
  status: 200,
  body: { success: true, item: { uuid: 'u-1', status: 'completed', metrics: { aggregated_score: '0.97' } } },
}

async function callOf(server: ServerProcess, callSid: string, ready: (call: Call) => boolean): Promise<Call> {
  return eventually(callSid, async () => {
    const call = (await server.get(`/v1/calls/${callSid}`)) as Call
    return ready(call) ? call : undefined
  })
}

/** A call whose first seconds give the label that asks, and whose next ones the vendor hears. */
async function speak(server: ServerProcess) {
  const caller = new TwilioCaller({
    url: server.url,
    publicUrl: testPublicUrl,
    accountSid: testAccount.sid,
    authToken: testAccount.token,
  })
  const stream = await caller.stream(randomSid('CA'))
  stream.recording(human.subarray(0, 40_000))
  const first = await callOf(server, stream.callSid, ({ tracks }) => (tracks[0]?.audioMs ?? 0) >= 5000)
  stream.recording(human.subarray(40_000, 72_000))
  return { stream, callSid: stream.callSid, first }
}

describe('a second opinion', () => {
  it('stands beside our verdict, its agreement a reason; a failing vendor delays nothing', async (t) => {
    let answer: VendorAnswer = judged
    const vendor = await httpVendor(t, () => answer)
    const about = { name: 'resemble', kind: 'resemble', url: vendor.url, apiKey: 'the-api-key', allowPrivate: true }
    const labels = ['likely_human', 'likely_synthetic', 'inconclusive']
    const opinions = { vendors: [about], labels, audioMs: 3000, answerTimeoutMs: 2000 }
    const server = await startServer({ config: { opinions } })
    try {
      const { stream, callSid, first } = await speak(server)
      assert.notEqual(first.tracks[0]?.label, 'insufficient_speech')
      const call = await callOf(server, callSid, ({ tracks }) => (tracks[0]?.opinions?.length ?? 0) > 0)
      assert.deepEqual(
        call.tracks[0]?.opinions?.map(({ vendor: name, score, audioMs }) => [name, score, audioMs]),
        [['resemble', 0.97, 3000]],
      )
      assert.equal(vendor.requests.length, 1)
      const reason = call.tracks[0]?.reasons.at(-1)
      assert.match(reason?.code ?? '', /^opinion_/)
      assert.match(reason?.text ?? '', /^resemble scored 0\.97 on 3\.0 s/)
      stream.stop()
      await callOf(server, callSid, ({ state }) => state === 'ended')

      for (const fault of ['silence', 'garbage', { status: 402 }] as const) {
        answer = fault
        const later = await speak(server)
        const heard = await callOf(server, later.callSid, ({ tracks }) => (tracks[0]?.audioMs ?? 0) >= 9000)
        assert.deepEqual([heard.tracks[0]?.label, heard.tracks[0]?.opinions], [first.tracks[0]?.label, undefined])
        later.stream.stop()
        await callOf(server, later.callSid, ({ state }) => state === 'ended')
      }
      const lines = await eventually('three failures in the log', async () => {
        const failed = server.lines.filter(({ msg }) => msg === 'a second opinion failed')
        return failed.length === 3 ? failed : undefined
      })
      assert.deepEqual(lines.map(({ reason: why }) => why).sort(), ['garbled', 'payment', 'timeout'])
      assert.doesNotMatch(JSON.stringify(server.lines), /the-api-key/)
      assert.equal(await server.end('SIGTERM'), 0)
      const again = await startServer({ dataDir: server.dataDir })
      try {
        const stored = await callOf(again, callSid, ({ state }) => state === 'ended')
        assert.deepEqual(stored.tracks[0]?.reasons.at(-1), reason, 'what it said is stored with the call')
      } finally {
        await again.end('SIGTERM')
      }
    } finally {
      await server.end('SIGTERM')
    }
  })
})
