/** Twilio's media sockets over a real server: who gets in, and what hostile streams can do (nothing). */
import { strict as assert } from 'node:assert'
import { once } from 'node:events'
import { afterEach, it } from 'node:test'
import twilio from 'twilio'
import { ManualClock } from '../../src/core/clock.ts'
import { accountSid, authToken, closeIngest, type Ingest, startIngest } from '../fakes/ingest-server.ts'
import { CallerStream, randomSid } from '../fakes/twilio-caller.ts'
import { until } from '../fakes/until.ts'

afterEach(closeIngest)

const silence20ms = Buffer.alloc(160, 0xff)

/** All that a refused upgrade must leave as it was. */
function assertUntouched({ counters, server, table }: Ingest): void {
  assert.deepEqual([server.openSockets(), table.size, counters.socketsOpened, counters.callsStarted], [0, 0, 0, 0])
}

it('a good signature and token give 101, a detection, its frames and its end; nothing is ever sent', async () => {
  const { caller, tracks } = await startIngest()
  const callSid = randomSid('CA')
  const stream = await caller.stream(callSid)
  let received = 0
  stream.socket.on('message', () => {
    received += 1
  })
  for (let at = 0; at < 50; at += 1) stream.media(silence20ms)
  stream.stop()
  await until(() => tracks.ended.size === 1)
  assert.deepEqual(tracks.events, ['opened 1', 'closed 1 stop'])
  assert.deepEqual(
    tracks.times(1),
    Array.from({ length: 50 }, (_, index) => index * 20),
  )
  const facts = tracks.facts.get(1)
  assert.equal(facts?.call.callSid, callSid)
  assert.equal(facts?.call.from, '+15005550006')
  assert.equal(facts?.streamSid, stream.streamSid)
  assert.equal(received, 0)
})

it('a bad or missing signature is 403, leaves nothing behind, and does not use up the token', async () => {
  const ingest = await startIngest()
  const url = await ingest.caller.streamUrl(randomSid('CA'))
  const other = twilio.getExpectedTwilioSignature('another token', url, {})
  const overHttps = twilio.getExpectedTwilioSignature(authToken, url.replace('wss:', 'https:'), {})
  for (const bad of ['', other, overHttps]) await assert.rejects(ingest.caller.connect(url, bad), /status 403/)
  assertUntouched(ingest)
  assert.equal(ingest.counters.socketsRefusedSignature, 3)
  const socket = await ingest.caller.connect(url)
  socket.close()
})

it('a replayed, expired or invented token is 403', async () => {
  const tokensClock = new ManualClock()
  const ingest = await startIngest({ tokensClock })
  const expired = await ingest.caller.streamUrl(randomSid('CA'))
  tokensClock.advance(60_000)
  await assert.rejects(ingest.caller.connect(expired), /status 403/)
  await assert.rejects(ingest.caller.connect(expired.replace(/[\w-]{32}$/, 'A'.repeat(32))), /status 403/)
  assertUntouched(ingest)
  const used = await ingest.caller.streamUrl(randomSid('CA'))
  const socket = await ingest.caller.connect(used)
  await assert.rejects(ingest.caller.connect(used), /status 403/)
  assert.equal(ingest.counters.socketsRefusedToken, 3)
  socket.close()
})

it('over mediaSocketsMax, and while draining, an upgrade is 503', async () => {
  const ingest = await startIngest({ mediaSocketsMax: 1 })
  const [first, second] = [
    await ingest.caller.streamUrl(randomSid('CA')),
    await ingest.caller.streamUrl(randomSid('CA')),
  ]
  const socket = await ingest.caller.connect(first)
  await assert.rejects(ingest.caller.connect(second), /status 503/)
  assert.equal(ingest.counters.socketsRefusedCapacity, 1)
  socket.close()
  await until(() => ingest.server.openSockets() === 0)
  const again = await ingest.caller.connect(second)
  again.close()
})

it('a start that names another call or account closes 1008 before there is a detection', async () => {
  const ingest = await startIngest()
  for (const [account, call] of [
    [accountSid, randomSid('CA')],
    [randomSid('AC'), null],
  ] as const) {
    const callSid = randomSid('CA')
    const socket = await ingest.caller.connect(await ingest.caller.streamUrl(callSid))
    const stream = new CallerStream(socket, account, call ?? callSid)
    stream.begin(['inbound'])
    stream.media(silence20ms)
    const [code] = (await once(socket, 'close')) as [number]
    assert.equal(code, 1008)
  }
  assert.deepEqual(ingest.tracks.events, [])
  assert.equal(ingest.counters.socketsClosedBinding, 2)
})

it('a socket that never says start is closed', async () => {
  const socketsClock = new ManualClock()
  const { caller, counters, sockets } = await startIngest({ socketsClock })
  const socket = await caller.connect(await caller.streamUrl(randomSid('CA')))
  const closed = once(socket, 'close') as Promise<[number]>
  await until(() => counters.socketsOpened === 1)
  socketsClock.advance(9_999)
  sockets.tick()
  assert.equal(counters.socketsClosedTrackless, 0)
  socketsClock.advance(1)
  sockets.tick()
  assert.equal((await closed)[0], 1002)
  assert.equal(counters.socketsClosedTrackless, 1)
})

/** A media message whose parts are said as JSON text. */
function spelled(sequence: string, timestamp: string, payload: string, track = 'inbound'): string {
  const media = `{"track":"${track}","timestamp":${timestamp},"payload":${payload}}`
  return `{"event":"media","sequenceNumber":${sequence},"media":${media}}`
}

/** What a hostile stream sends, and the counter that sees it (null: none, or the sink's own). */
const hostile: readonly [string | Buffer, keyof Ingest['counters'] | null][] = [
  ['', 'mediaMalformed'],
  ['{"event":"media","media":{"track":"inb', 'mediaMalformed'],
  [spelled('"2"', '"-20"', '"AA=="'), 'mediaMalformed'],
  [spelled('"2"', '"1e99"', '"AA=="'), 'mediaMalformed'],
  [spelled('"2"', '"99999999999999999999"', '"AA=="'), 'mediaMalformed'],
  [spelled('"-1"', '"0"', '"AA=="'), 'mediaMalformed'],
  [spelled('"2"', '"0"', '""'), 'mediaMalformed'],
  [spelled('"2"', '"0"', '5'), 'mediaMalformed'],
  [spelled('"2"', '"0"', '"A\\u0041=="'), 'mediaSlowPath'],
  [spelled('"3"', '"20"', '"!!not base64!!"'), null],
  [spelled('"3"', '"20"', '"AA=="'), 'mediaSequenceRegressed'],
  [spelled('"4"', '"20"', '"AA=="', 'outbound'), 'mediaUnknownTrack'],
  ['[['.repeat(20_000), 'mediaMalformed'],
  ['{"event":"\ud83d\ude00"}', 'mediaUnknownEvents'],
  ['{"event":"__proto__","__proto__":{"event":"stop"}}', 'mediaUnknownEvents'],
  ['{"event":"dtmf","dtmf":{"track":"inbound_track","digit":"1"}}', null],
  [Buffer.from('{"event":"stop"}'), 'mediaBinary'],
]

it('hostile messages are dropped and counted while a neighbour loses no frame', async () => {
  const { caller, counters, tracks } = await startIngest()
  const neighbour = await caller.stream(randomSid('CA'))
  await until(() => tracks.live.size === 1)
  const attacker = await caller.stream(randomSid('CA'))
  await until(() => tracks.live.size === 2)
  const expected = new Map<string, number>()
  for (const [message, counter] of hostile) {
    attacker.socket.send(message)
    neighbour.media(silence20ms)
    if (counter !== null) expected.set(counter, (expected.get(counter) ?? 0) + 1)
  }
  attacker.begin(['inbound'])
  for (let at = 0; at < 10_000; at += 1) {
    attacker.socket.send('{')
    if (at % 50 === 0) neighbour.media(silence20ms)
  }
  neighbour.stop()
  await until(() => tracks.ended.has(1) && counters.mediaMalformed > 10_000)
  const frames = hostile.length + 200
  assert.deepEqual(
    tracks.times(1),
    Array.from({ length: frames }, (_, index) => index * 20),
  )
  expected.set('mediaMalformed', (expected.get('mediaMalformed') ?? 0) + 10_000)
  expected.set('mediaStartRepeated', 1)
  for (const [counter, count] of expected) assert.equal(counters[counter as keyof typeof counters], count, counter)
  assert.equal(counters.httpBugs, 0)
  assert.equal(tracks.live.has(2), true)
  attacker.socket.close()
})

it('a message over messageBytesMax closes its own socket only, and its detection waits for another', async () => {
  const { caller, server, table, tracks } = await startIngest()
  const neighbour = await caller.stream(randomSid('CA'))
  const attacker = await caller.stream(randomSid('CA'))
  await until(() => tracks.live.size === 2)
  attacker.socket.on('error', () => {})
  attacker.socket.send('x'.repeat(65_537))
  await once(attacker.socket, 'close')
  await until(() => server.openSockets() === 1)
  assert.equal(table.size, 2)
  neighbour.media(silence20ms)
  await until(() => tracks.frames.length === 1)
  neighbour.socket.close()
})

it('media before the start is counted and makes nothing', async () => {
  const { caller, counters, tracks } = await startIngest()
  const callSid = randomSid('CA')
  const socket = await caller.connect(await caller.streamUrl(callSid))
  const stream = new CallerStream(socket, accountSid, callSid)
  stream.media(silence20ms)
  stream.stop()
  await until(() => counters.mediaBeforeStart === 1)
  assert.deepEqual(tracks.events, [])
  socket.close()
})

it('a sink that throws costs its message, not the process', async () => {
  const { caller, counters, tracks } = await startIngest()
  const stream = await caller.stream(randomSid('CA'))
  await until(() => tracks.live.size === 1)
  const frame = tracks.frame.bind(tracks)
  let isBroken = true
  tracks.frame = (...message) => {
    if (isBroken) throw new Error('boom')
    return frame(...message)
  }
  stream.media(silence20ms)
  await until(() => counters.httpBugs === 1)
  isBroken = false
  stream.media(silence20ms)
  stream.stop()
  await until(() => tracks.ended.size === 1)
  assert.deepEqual(tracks.times(1), [20])
})

it('a media format that is not mu-law at 8 kHz is refused with 1003', async () => {
  const { caller, tracks } = await startIngest()
  const callSid = randomSid('CA')
  const socket = await caller.connect(await caller.streamUrl(callSid))
  const mediaFormat = { encoding: 'audio/l16', sampleRate: 16_000, channels: 1 }
  const start = { accountSid, callSid, streamSid: 'MZ1', tracks: ['inbound'], mediaFormat }
  socket.send(JSON.stringify({ event: 'start', sequenceNumber: '1', start, streamSid: 'MZ1' }))
  const [code] = (await once(socket, 'close')) as [number]
  assert.equal(code, 1003)
  assert.deepEqual(tracks.events, [])
})

it('the server that goes away closes its sockets with 1001 after the calls ended as interrupted', async () => {
  const { caller, server, table, tracks } = await startIngest()
  const stream = await caller.stream(randomSid('CA'))
  await until(() => tracks.live.size === 1)
  server.drain()
  stream.media(silence20ms)
  await until(() => tracks.frames.length === 1)
  table.endAll('interrupted')
  const closed = once(stream.socket, 'close') as Promise<[number]>
  server.close()
  assert.equal((await closed)[0], 1001)
  assert.deepEqual(tracks.events, ['opened 1', 'closed 1 interrupted'])
})
