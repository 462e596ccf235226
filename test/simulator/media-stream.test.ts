import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MediaStream } from '../../src/simulator/media-stream.ts'
import { postIncomingCall } from '../../src/simulator/twilio-webhook.ts'
import { type FakeServer, type FakeServerOptions, fakeServer } from '../fakes/twilio-server.ts'
import { until } from '../fakes/until.ts'

const call = { callSid: 'CA00', from: '+12015550100', to: '+12025550199' }

async function withStream(
  options: FakeServerOptions,
  use: (stream: MediaStream, server: FakeServer, closes: number[]) => Promise<void>,
): Promise<void> {
  const server = await fakeServer(options)
  const closes: number[] = []
  try {
    const twiml = await postIncomingCall(server.target, call)
    const listener = { closedByServer: (code: number) => void closes.push(code), messageFromServer: () => {} }
    const stream = await MediaStream.open({ target: server.target, twiml, call, streamSid: 'MZ00', listener })
    await use(stream, server, closes)
    stream.terminate()
  } finally {
    await server.close()
  }
}

function messagesOf(server: FakeServer): unknown[] {
  return (server.sockets[0]?.texts ?? []).map((text) => JSON.parse(text))
}

test('the upgrade is signed over the wss URL of the TwiML, as the twilio package checks it', async () => {
  await withStream({}, async (_stream, server) => {
    assert.deepEqual([server.sockets[0]?.path, server.sockets[0]?.signatureValid], ['/twilio/media/token-1', true])
  })
})

test('a stream says connected, start, media and stop exactly as Twilio documents them', async () => {
  const options = { track: 'both_tracks', parameters: '<Parameter name="k" value="v"/>' }
  await withStream(options, async (stream, server) => {
    const [inbound, outbound] = stream.tracks
    assert.ok(inbound && outbound)
    stream.media(inbound, Buffer.from('//8='), 40, false)
    stream.media(outbound, Buffer.from('fn4='), 40, false)
    stream.media(inbound, Buffer.from('AAA='), 60, false)
    stream.stop()
    await until(() => server.sockets[0]?.closeCode !== undefined)
    const streamSid = 'MZ00'
    const accountSid = server.target.accountSid
    const mediaFormat = { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 }
    const start = {
      accountSid,
      streamSid,
      callSid: 'CA00',
      tracks: ['inbound', 'outbound'],
      mediaFormat,
      customParameters: { k: 'v' },
    }
    assert.deepEqual(messagesOf(server), [
      { event: 'connected', protocol: 'Call', version: '1.0.0' },
      { event: 'start', sequenceNumber: '1', start, streamSid },
      {
        event: 'media',
        sequenceNumber: '2',
        media: { track: 'inbound', chunk: '1', timestamp: '40', payload: '//8=' },
        streamSid,
      },
      {
        event: 'media',
        sequenceNumber: '3',
        media: { track: 'outbound', chunk: '1', timestamp: '40', payload: 'fn4=' },
        streamSid,
      },
      {
        event: 'media',
        sequenceNumber: '4',
        media: { track: 'inbound', chunk: '2', timestamp: '60', payload: 'AAA=' },
        streamSid,
      },
      { event: 'stop', sequenceNumber: '5', streamSid, stop: { accountSid, callSid: 'CA00' } },
    ])
    assert.equal(server.sockets[0]?.closeCode, 1000)
  })
})

test('frames held back come later, all at once, in order and complete', async () => {
  await withStream({}, async (stream, server) => {
    const [inbound] = stream.tracks
    assert.ok(inbound)
    for (let frame = 0; frame < 5; frame++) stream.media(inbound, Buffer.from(`frame${frame}==`), frame * 20, frame < 4)
    await until(() => (server.sockets[0]?.texts.length ?? 0) >= 3)
    stream.release()
    await until(() => (server.sockets[0]?.texts.length ?? 0) >= 7)
    const sequence = messagesOf(server)
      .slice(2)
      .map((message) => (message as { sequenceNumber: string }).sequenceNumber)
    assert.deepEqual(sequence, ['6', '2', '3', '4', '5'])
  })
})

test('a duplicate repeats the last message byte for byte', async () => {
  await withStream({}, async (stream, server) => {
    const [inbound] = stream.tracks
    assert.ok(inbound)
    stream.media(inbound, Buffer.from('//8='), 40, false)
    stream.repeat(inbound, Buffer.from('//8='), 40)
    await until(() => server.sockets[0]?.texts.length === 4)
    assert.equal(server.sockets[0]?.texts[3], server.sockets[0]?.texts[2])
  })
})

test('a socket that the server closes is told, one that we close is not', async () => {
  await withStream({}, async (stream, server, closes) => {
    stream.close()
    await until(() => server.sockets[0]?.closeCode !== undefined)
    assert.deepEqual(closes, [])
  })
  await withStream({}, async (stream, server, closes) => {
    await server.close()
    await until(() => closes.length > 0)
    assert.equal(stream.live, false)
  })
})

test('a refused upgrade rejects with its status', async () => {
  const server = await fakeServer()
  try {
    const twiml = { url: 'wss://h/x', tracks: ['inbound' as const], parameters: {} }
    const target = { ...server.target, origin: server.target.origin.replace('127.0.0.1', 'localhost') }
    await server.close()
    const listener = { closedByServer: () => {}, messageFromServer: () => {} }
    await assert.rejects(MediaStream.open({ target, twiml, call, streamSid: 'MZ0', listener }), /socket was refused/)
  } finally {
    await server.close().catch(() => {})
  }
})
