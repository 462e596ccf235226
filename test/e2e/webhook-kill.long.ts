/**
 * Webhooks of the real process: its receiver is down, then back and moody, and the process is killed (SIGKILL) in
 * between. What the page was told before a kill reaches the receiver, in the order of each call, duplicates by id.
 */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { projectRoot } from '../../src/core/project.ts'
import { type Arrival, receiver } from '../fakes/notices.ts'
import { wavMulaw } from '../fakes/recordings.ts'
import { type ServerProcess, startServer, testAccount, testPublicUrl } from '../fakes/server-process.ts'
import { randomSid, TwilioCaller } from '../fakes/twilio-caller.ts'
import { until } from '../fakes/until.ts'

interface Verdict {
  readonly callSid: string
  readonly track: string
  readonly state: string
  readonly label: string
  readonly provisional: boolean
}

const secret = 'an end-to-end secret of the tests'
const voices = ['human-nl-man', 'synthetic-espeak-de', 'human-nl-woman'].map((name) =>
  wavMulaw(readFileSync(join(projectRoot, `fixtures/calls/${name}.wav`))),
)

/** What a receiver should hear of a call, by what the page was told: label and firmness as they change, the end. */
class Oracle {
  readonly stages = new Map<string, string[]>()
  readonly #last = new Map<string, string>()

  hear({ callSid, track, state, label, provisional }: Verdict): void {
    const stage = state === 'live' ? `${track}/${label}/${provisional ? 'provisional' : 'firm'}` : `${track}/ended`
    if (label === 'insufficient_speech' && state === 'live') return
    if (this.#last.get(`${callSid}/${track}`) === stage) return
    this.#last.set(`${callSid}/${track}`, stage)
    this.stages.set(`call/${callSid}`, [...(this.stages.get(`call/${callSid}`) ?? []), stage])
  }
}

async function listen(server: ServerProcess, oracle: Oracle): Promise<void> {
  const url = `${server.url.replace('http', 'ws')}/v1/events?types=verdict&lastEventId=0`
  const socket = new WebSocket(url, { headers: { authorization: `Bearer ${server.key()}` } })
  socket.on('message', (text) => {
    const { type, data } = JSON.parse(String(text)) as { type: string; data: Verdict }
    if (type === 'verdict') oracle.hear(data)
  })
  socket.on('error', () => {})
  await new Promise((resolve) => socket.once('open', resolve))
}

async function calls(server: ServerProcess, stopped: boolean): Promise<void> {
  const caller = new TwilioCaller({
    url: server.url,
    publicUrl: testPublicUrl,
    accountSid: testAccount.sid,
    authToken: testAccount.token,
  })
  for (const audio of voices) {
    const stream = await caller.stream(randomSid('CA'))
    stream.recording(audio.subarray(0, 64_000))
    if (stopped) stream.stop()
  }
}

function stagesOf(arrivals: readonly Arrival[]): Map<string, string[]> {
  const stages = new Map<string, string[]>()
  const seen = new Set<string>()
  for (const { id, body } of arrivals) {
    if (seen.has(id)) continue
    seen.add(id)
    const { about, stage } = JSON.parse(body) as { about: string; stage: string }
    stages.set(about, [...(stages.get(about) ?? []), stage])
  }
  return stages
}

describe('webhooks of a process that is killed while their receiver is down or moody', () => {
  it('arrive all the same, signed, each call in order, repeated only with the same id and body', async (t) => {
    const at = await receiver(t)
    const taken: Arrival[] = []
    let asked = 0
    let mood: 'down' | 'moody' | 'well' = 'down'
    at.answer = (arrival) => {
      asked += 1
      if (mood === 'down' || (mood === 'moody' && asked % 3 !== 0)) return 503
      taken.push(arrival)
      return 204
    }
    const config = {
      notify: {
        webhooks: [{ name: 'soc', url: at.url, secrets: [secret], types: ['verdict'], allowPrivate: true }],
        retry: { firstMs: 20, mostMs: 200 },
      },
    }
    const oracle = new Oracle()
    let dataDir: string | undefined
    for (let round = 0; round < 3; round += 1) {
      const server: ServerProcess = await startServer({ config, ...(dataDir === undefined ? {} : { dataDir }) })
      dataDir = server.dataDir
      await listen(server, oracle)
      await calls(server, round % 2 === 0)
      const before = (round + 1) * voices.length
      await until(() => oracle.stages.size === before && [...oracle.stages.values()].every((each) => each.length > 0))
      // A notice is on disk some ms after its event was told; the audio was sent at once, so nothing new comes.
      await sleep(1000)
      if (round > 0) mood = 'moody'
      await sleep(300)
      await server.end('SIGKILL')
    }
    mood = 'well'
    const last = await startServer({ config, ...(dataDir === undefined ? {} : { dataDir }) })
    try {
      const told = [...oracle.stages.values()].flat().length
      await until(() => new Set(taken.map(({ id }) => id)).size >= told)
      await sleep(500)
      // Maps are equal whatever the order of their keys.
      assert.deepEqual(stagesOf(taken), oracle.stages)
      const bodies = new Map<string, string>()
      for (const { id, body, headers } of taken) {
        assert.equal(bodies.get(id) ?? body, body)
        bodies.set(id, body)
        const signed = `${id}.${headers['webhook-timestamp']}.${body}`
        const expected = `v1,${createHmac('sha256', secret).update(signed).digest('base64')}`
        assert.equal(headers['webhook-signature'], expected)
      }
      const { receivers } = (await last.get('/v1/notifications')) as { receivers: { waiting: number }[] }
      assert.equal(receivers[0]?.waiting, 0)
      t.diagnostic(`${told} notices in 3 kills, ${taken.length - told} repeated, ${asked} requests`)
    } finally {
      await last.end('SIGTERM')
    }
  })
})
