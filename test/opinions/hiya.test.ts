/** Hiya's streaming contract, with its faults, over real sockets. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { WebSocket } from 'ws'
import { hiya } from '../../src/opinions/hiya.ts'
import type { OpinionFailure } from '../../src/opinions/opinion.ts'
import { frames, type SocketVendorScript, socketVendor } from '../fakes/vendors.ts'

type Polarity = 'high_is_synthetic' | 'high_is_human'

async function ask(t: TestContext, script: SocketVendorScript, polarity: Polarity = 'high_is_synthetic') {
  const at = await socketVendor(t, script)
  const options = { name: 'hiya', url: at.url, apiKey: 'a-key', allowPrivate: true, timeoutMs: 300, polarity }
  const session = hiya(options).start()
  t.after(() => session.close())
  for (const part of frames(2000)) session.pushAudio(part)
  return { at, session }
}

async function outcome(t: TestContext, script: SocketVendorScript, polarity?: Polarity): Promise<unknown> {
  const { session } = await ask(t, script, polarity)
  return await session.score().then(
    ({ score, abstained }) => abstained ?? score,
    (thrown: OpinionFailure) => thrown.reason,
  )
}

function chunk(socket: WebSocket, label: string, synthesis: number | null): void {
  const times = { startTime: 'PT0S', endTime: 'PT3.500S', duration: 'PT3.500S', voiceDuration: 'PT2S' }
  socket.send(JSON.stringify({ type: 'chunk', chunk: { ...times, label, scores: { synthesis } } }))
}

function verification(socket: WebSocket, scores: object): void {
  const facts = { model: 'phone', duration: 'PT2S', voiceDuration: 'PT2S', chunks: [] }
  socket.send(JSON.stringify({ type: 'verification', verification: { ...facts, scores } }))
}

const afterEnd = (send: (socket: WebSocket) => void): SocketVendorScript => ({
  text: (socket, text) => text === '{"type":"close"}' && send(socket),
})

describe('Hiya', () => {
  it('is told the model first, then sent a WAV without a length and the mu-law bytes, then told the end', async (t) => {
    const { at, session } = await ask(
      t,
      afterEnd((socket) => verification(socket, { synthesis: 0.12 })),
    )
    assert.deepEqual(await session.score(), { score: 0.12, abstained: null })
    assert.equal(at.upgrades[0]?.headers.authorization, 'Bearer a-key')
    assert.deepEqual(at.texts, ['{"model":"phone","config":{"synthesisSources":false}}', '{"type":"close"}'])
    const audio = Buffer.concat(at.audio)
    assert.equal(audio.toString('latin1', 0, 4), 'RIFF')
    assert.deepEqual(audio.subarray(44), Buffer.concat(frames(2000)))
  })

  it('is turned round where the configuration says so', async (t) => {
    const human = afterEnd((socket) => verification(socket, { synthesis: 0.25 }))
    assert.equal(await outcome(t, human, 'high_is_human'), 0.75)
  })

  it('goes by its windows with a voice when it gives no score of the whole, and abstains without any', async (t) => {
    const windows = afterEnd((socket) => {
      chunk(socket, 'validVoice', 0.9)
      chunk(socket, 'insufficientVoice', null)
      chunk(socket, 'validVoice', 0.7)
      verification(socket, { synthesis: null })
    })
    assert.ok(Math.abs(Number(await outcome(t, windows)) - 0.8) < 1e-9)
    const music = afterEnd((socket) => {
      chunk(socket, 'excessiveMusic', null)
      verification(socket, {})
    })
    assert.equal(await outcome(t, music), 'music')
  })

  it('tells its failures apart', async (t) => {
    const failures = [
      await outcome(t, { refuse: 402 }),
      await outcome(t, { refuse: 429 }),
      await outcome(t, { refuse: 403 }),
      await outcome(
        t,
        afterEnd((socket) => socket.terminate()),
      ),
      await outcome(
        t,
        afterEnd((socket) => socket.send('{"type":"error","message":"no"}')),
      ),
      await outcome(
        t,
        afterEnd((socket) => socket.send('[]')),
      ),
      await outcome(
        t,
        afterEnd((socket) => chunk(socket, 'validVoice', 1.5)),
      ),
      await outcome(
        t,
        afterEnd((socket) => chunk(socket, 'weather', null)),
      ),
    ]
    assert.deepEqual(failures, ['payment', 'rate', 'auth', 'disconnected', 'refused', 'garbled', 'garbled', 'garbled'])
  })
})
