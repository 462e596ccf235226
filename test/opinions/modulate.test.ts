/** Modulate's streaming contract, with its faults, over real sockets. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { WebSocket } from 'ws'
import { modulate } from '../../src/opinions/modulate.ts'
import type { OpinionFailure } from '../../src/opinions/opinion.ts'
import { until } from '../fakes/until.ts'
import { frames, type SocketVendorScript, socketVendor } from '../fakes/vendors.ts'

function frame(socket: WebSocket, verdict: string, confidence: number): void {
  const times = { start_time_ms: 0, end_time_ms: 500 }
  socket.send(JSON.stringify({ type: 'frame', frame: { ...times, verdict, confidence } }))
}

const done = JSON.stringify({ type: 'done', duration_ms: 2000, frame_count: 3 })

async function ask(t: TestContext, script: SocketVendorScript) {
  const at = await socketVendor(t, script)
  const options = { name: 'modulate', url: at.url, apiKey: 'a key&', allowPrivate: true, timeoutMs: 300 }
  const session = modulate(options).start()
  t.after(() => session.close())
  for (const part of frames(2000)) session.pushAudio(part)
  return { at, session }
}

async function outcome(t: TestContext, script: SocketVendorScript): Promise<unknown> {
  const { session } = await ask(t, script)
  return await session.score().then(
    ({ score, abstained }) => abstained ?? score,
    (thrown: OpinionFailure) => thrown.reason,
  )
}

const afterEnd = (send: (socket: WebSocket) => void): SocketVendorScript => ({
  text: (socket, text) => text === '' && send(socket),
})

describe('Modulate', () => {
  it('is streamed the mu-law bytes as they are, and its verdicts are averaged on our scale', async (t) => {
    const { at, session } = await ask(t, {
      bytes: (socket, total) => {
        if (total === 8000) frame(socket, 'synthetic', 0.9)
        if (total === 16_000) frame(socket, 'non-synthetic', 0.8)
      },
      text: (socket, text) => {
        assert.equal(text, '', 'an empty text is the end')
        frame(socket, 'no-content', 1)
        socket.send(done)
      },
    })
    await until(() => Buffer.concat(at.audio).length === 16_000)
    const { score, abstained } = await session.score()
    assert.equal(abstained, null)
    assert.ok(Math.abs((score ?? 0) - (0.9 + 0.2) / 2) < 1e-9)
    assert.deepEqual(Buffer.concat(at.audio), Buffer.concat(frames(2000)))
    assert.deepEqual(Object.fromEntries(at.upgrades[0]?.query ?? []), {
      api_key: 'a key&',
      audio_format: 'mulaw',
      sample_rate: '8000',
      num_channels: '1',
    })
  })

  it('abstains when no window had a voice', async (t) => {
    const quiet = afterEnd((socket) => {
      frame(socket, 'no-content', 1)
      socket.send(done)
    })
    assert.equal(await outcome(t, quiet), 'no_voice')
  })

  it('tells its failures apart: upgrade, close codes, errors, garbage, size', async (t) => {
    const failures = [
      await outcome(t, { refuse: 402 }),
      await outcome(t, { refuse: 429 }),
      await outcome(t, { refuse: 401 }),
      await outcome(t, { open: (socket) => socket.close(4003) }),
      await outcome(t, { open: (socket) => socket.close(1003) }),
      await outcome(t, { open: (socket) => socket.close(4002) }),
      await outcome(t, { open: (socket) => socket.close(1013) }),
      await outcome(
        t,
        afterEnd((socket) => socket.terminate()),
      ),
      await outcome(
        t,
        afterEnd((socket) => socket.send('{"type":"error","error":"queue full"}')),
      ),
      await outcome(
        t,
        afterEnd((socket) => socket.send('not json')),
      ),
      await outcome(
        t,
        afterEnd((socket) => socket.send(Buffer.from('{}'))),
      ),
      await outcome(
        t,
        afterEnd((socket) => frame(socket, 'weather', 0.5)),
      ),
      await outcome(
        t,
        afterEnd((socket) => frame(socket, 'synthetic', 9)),
      ),
      await outcome(
        t,
        afterEnd((socket) => socket.send('x'.repeat(70_000))),
      ),
    ]
    assert.deepEqual(failures, [
      'payment',
      'rate',
      'auth',
      'auth',
      'refused',
      'refused',
      'rate',
      'disconnected',
      'refused',
      'garbled',
      'garbled',
      'garbled',
      'garbled',
      'garbled',
    ])
  })

  it('fails as slow when it does not take the audio, and is not called at private addresses', async (t) => {
    const { session } = await ask(t, { open: (socket) => socket.pause() })
    for (const part of frames(20_000)) session.pushAudio(part)
    await assert.rejects(session.score(), { reason: 'slow' })
    const options = { name: 'modulate', url: 'ws://127.0.0.1:1/', apiKey: 'k', allowPrivate: false, timeoutMs: 300 }
    await assert.rejects(modulate(options).start().score(), { reason: 'unavailable', message: /not a public address/ })
  })
})
