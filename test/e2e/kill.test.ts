/**
 * What is stored stays stored: the server is killed with SIGKILL under load, and its ClickHouse child too; then the
 * tables are read through a fresh process.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { projectRoot } from '../../src/core/project.ts'
import { childrenOf } from '../fakes/process-tree.ts'
import { wavMulaw } from '../fakes/recordings.ts'
import { eventually, type ServerProcess, startServer, testAccount, testPublicUrl } from '../fakes/server-process.ts'
import { type CallerStream, randomSid, TwilioCaller } from '../fakes/twilio-caller.ts'

interface Call {
  state: string
  endReason: string | null
  endedAt: string | null
  tracks: { label: string; audioMs: number; windows: unknown[]; reasons: unknown[] }[]
}

const human = wavMulaw(readFileSync(join(projectRoot, 'fixtures/calls/human-nl-man.wav')))

function callerOf(server: ServerProcess): TwilioCaller {
  return new TwilioCaller({
    url: server.url,
    publicUrl: testPublicUrl,
    accountSid: testAccount.sid,
    authToken: testAccount.token,
  })
}

async function streams(server: ServerProcess, count: number): Promise<CallerStream[]> {
  const caller = callerOf(server)
  return Promise.all(Array.from({ length: count }, () => caller.stream(randomSid('CA'))))
}

async function heard(server: ServerProcess, callSid: string, audioMs: number): Promise<Call> {
  return eventually(`${callSid} to be heard`, async () => {
    const call = (await server.get(`/v1/calls/${callSid}`)) as Call
    return (call.tracks[0]?.audioMs ?? 0) >= audioMs ? call : undefined
  })
}

describe('a killed process', () => {
  it('leaves live calls that end as interrupted and ended calls as they were', async () => {
    const first = await startServer()
    const [ended, ...live] = await streams(first, 6)
    assert.ok(ended)
    ended.recording(human.subarray(0, 40_000))
    ended.stop()
    for (const stream of live) stream.recording(human.subarray(0, 40_000))
    for (const stream of live) await heard(first, stream.callSid, 5000)
    await heard(first, ended.callSid, 5000)
    await new Promise((resolve) => setTimeout(resolve, 300))
    for (const stream of live) stream.recording(human.subarray(40_000, 60_000))
    await first.end('SIGKILL')

    const second = await startServer({ dataDir: first.dataDir })
    try {
      const kept = await eventually('the ended call', async () => {
        const call = (await second.get(`/v1/calls/${ended.callSid}`)) as Call
        return call.state === 'ended' ? call : undefined
      })
      assert.equal(kept.endReason, 'stop')
      assert.equal(kept.tracks[0]?.windows.length, 10)
      for (const stream of live) {
        const call = await eventually(`${stream.callSid} to be interrupted`, async () => {
          const found = (await second.get(`/v1/calls/${stream.callSid}`)) as Call
          return found.state === 'interrupted' ? found : undefined
        })
        assert.equal(call.endReason, 'interrupted')
        assert.ok((call.tracks[0]?.windows.length ?? 0) >= 10, 'windows that were scored are stored')
        assert.ok(call.endedAt)
      }
    } finally {
      await second.end('SIGTERM')
    }
  })

  it('of ClickHouse loses no row and stores none twice', async () => {
    const server = await startServer()
    const calls = await streams(server, 4)
    for (let round = 0; round < 5; round += 1) {
      for (const stream of calls) stream.recording(human.subarray(round * 16_000, (round + 1) * 16_000))
      await new Promise((resolve) => setTimeout(resolve, 400))
      for (const pid of childrenOf(server.child.pid ?? 0)) process.kill(pid, 'SIGKILL')
    }
    for (const stream of calls) stream.stop()
    for (const stream of calls) await heard(server, stream.callSid, 10_000)
    await server.end('SIGTERM')

    const fresh = await startServer({ dataDir: server.dataDir })
    try {
      for (const stream of calls) {
        const call = await eventually(`${stream.callSid} from storage`, async () => {
          const found = (await fresh.get(`/v1/calls/${stream.callSid}`)) as Call
          // What the killed child had not confirmed is stored by now or a moment later, from the spool.
          return found.state !== 'live' && (found.tracks[0]?.windows.length ?? 0) >= 20 ? found : undefined
        })
        assert.equal(call.state, 'ended')
        assert.equal(call.tracks[0]?.windows.length, 20)
      }
    } finally {
      await fresh.end('SIGTERM')
    }
  })
})
