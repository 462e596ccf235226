/** Kept audio: sealed on disk, readable up to where its writer died, bounded, and gone when it shall be gone. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import type { AudioConfig } from '../../src/config/audio-schema.ts'
import { ManualClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { AudioTaps } from '../../src/ingest/audio-tap.ts'
import type { TrackFacts } from '../../src/ingest/track.ts'
import { RecordingKeys } from '../../src/recordings/recording-keys.ts'
import { Recordings } from '../../src/recordings/recordings.ts'
import { scratchDirectory } from '../fakes/scratch.ts'
import { until } from '../fakes/until.ts'

interface Ending {
  after(fn: () => Promise<void> | void): void
}

const callSid = `CA${'a1'.repeat(16)}`
const other = `CA${'b2'.repeat(16)}`
const startedAtMs = Date.UTC(2026, 0, 1)
const sink = { open: () => true, frame: () => true, close: () => {} }

function facts(over: Partial<TrackFacts> & { sid?: string; keepsNoAudio?: boolean } = {}): TrackFacts {
  const { sid = callSid, keepsNoAudio = false, ...rest } = over
  const numbers = { from: '+12025550101', to: '+12025550102' }
  const call = { callSid: sid, accountSid: 'AC', ...numbers, direction: 'inbound', stirVerstat: '', keepsNoAudio }
  return { trackId: 1, track: 'inbound', call, streamSid: 'MZ', startedAtMs, ...rest }
}

function house(t: Ending, over: Partial<AudioConfig> = {}, root = scratchDirectory(t)) {
  const clock = new ManualClock(startedAtMs)
  const counters = zeroCounters()
  const taps = new AudioTaps(sink, counters)
  const directory = join(root, 'recordings')
  const keys = new RecordingKeys(directory, join(root, 'audio.key'))
  const limits = { ttlH: 1, bytesMax: 1_000_000, trackSecondsMax: 600, keyFile: null }
  const config: AudioConfig = { keep: 'all', labels: [], ...limits, ...over }
  const recordings = new Recordings({ config, directory, keys, taps, clock, log: silentLog, counters })
  let mediaMs = 0
  const speak = (trackId: number, bytes: number, value = 0x55): void => {
    const message = Buffer.from(Buffer.alloc(bytes, value).toString('base64'))
    taps.frame(trackId, mediaMs, message, 0, message.length, 0)
    mediaMs += bytes / 8
  }
  return { root, clock, counters, taps, directory, keys, recordings, speak }
}

const fileOf = (directory: string, sid = callSid, id = `inbound-${startedAtMs}`): string =>
  join(directory, sid, `${id}.vfr`)

it('what a track said is read again, and on disk it is noise under keys of mode 0600', async (t) => {
  const { root, directory, recordings, speak, taps, counters } = house(t)
  assert.ok(recordings.start(facts()))
  assert.ok(recordings.start(facts({ trackId: 2, track: 'outbound' })))
  for (let second = 0; second < 3; second++) speak(1, 8000, second + 1)
  speak(1, 160, 0x09)
  taps.close(1)
  taps.close(2)
  await recordings.close()
  const { mulaw, isComplete } = await recordings.read(callSid, `inbound-${startedAtMs}`)
  const said = [1, 2, 3].map((value) => Buffer.alloc(8000, value))
  assert.ok(mulaw.equals(Buffer.concat([...said, Buffer.alloc(160, 9)])))
  assert.equal(isComplete, true)
  assert.equal((await recordings.read(callSid, `outbound-${startedAtMs}`)).mulaw.length, 0)
  const bytes = readFileSync(fileOf(directory))
  for (const plain of ['12025550101', callSid, 'startedAtMs']) assert.equal(bytes.includes(plain), false, plain)
  assert.equal(bytes.includes(Buffer.alloc(16, 1)), false)
  const modes = [fileOf(directory), join(directory, callSid, 'key'), join(root, 'audio.key')]
  for (const file of modes) assert.equal(statSync(file).mode & 0o777, 0o600, file)
  assert.equal(counters.recordingsKept, 2)
  assert.equal(
    recordings.bytes,
    (await recordings.list()).reduce((sum, track) => sum + track.bytes, 0),
  )
})

it('nothing is kept unless configured, nor of a call that opted out, and no key is made', async (t) => {
  const off = house(t, { keep: 'none' })
  assert.equal(off.recordings.start(facts()), false)
  const { recordings, counters } = house(t)
  assert.equal(recordings.start(facts({ keepsNoAudio: true })), false)
  await recordings.optOut(callSid)
  assert.equal(recordings.start(facts()), false)
  assert.equal(recordings.start(facts({ call: { ...facts().call, callSid: '../../x' } })), false)
  assert.equal(counters.recordingsRefused, 2)
  recordings.optIn(callSid)
  assert.equal(recordings.start(facts()), true)
  await recordings.close()
  assert.deepEqual(readdirSync(off.root), [])
})

it('opting out under way ends and erases what is there', async (t) => {
  const { directory, recordings, speak, taps } = house(t)
  recordings.start(facts())
  speak(1, 16_000)
  assert.equal(await recordings.optOut(callSid), 1)
  assert.deepEqual(readdirSync(directory), [])
  assert.equal(taps.size, 0)
  assert.equal(recordings.bytes, 0)
  await assert.rejects(recordings.read(callSid, `inbound-${startedAtMs}`), { code: 'not_found' })
})

it('what a killed process wrote is readable up to its last whole second', async (t) => {
  const root = scratchDirectory(t)
  const child = spawn(process.execPath, [join(import.meta.dirname, '../fakes/recording.child.js'), root], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  child.kill('SIGKILL')
  await once(child, 'exit')
  const { recordings } = house(t, {}, root)
  await recordings.begin()
  const [kept] = await recordings.list()
  assert.ok(kept !== undefined && recordings.bytes === kept.bytes)
  const { mulaw, isComplete } = await recordings.read(kept.callSid, kept.id)
  assert.equal(isComplete, false)
  assert.ok(mulaw.length >= 16_000, `${mulaw.length} bytes`)
  assert.ok(mulaw.equals(Buffer.alloc(mulaw.length, 0x55)))
})

it('a file cut at any byte gives its whole chunks or nothing; one that was changed is refused', async (t) => {
  const { directory, recordings, speak } = house(t)
  recordings.start(facts())
  speak(1, 8000)
  speak(1, 100)
  await recordings.close()
  const id = `inbound-${startedAtMs}`
  const path = fileOf(directory)
  const whole = readFileSync(path)
  const read = async (bytes: Buffer): Promise<number | string> => {
    writeFileSync(path, bytes)
    return await recordings.read(callSid, id).then(
      ({ mulaw, isComplete }) => (isComplete ? 1 : 0) * 100_000 + mulaw.length,
      (thrown: { code: string }) => thrown.code,
    )
  }
  const seen = new Set<number | string>()
  for (let length = 0; length < whole.length; length += 97) seen.add(await read(whole.subarray(0, length)))
  assert.deepEqual([...seen].sort(), [0, 8000, 'recording_unreadable'])
  assert.equal(await read(whole), 108_100)
  for (const at of [0, 5, 22, 60, 200, 5000, whole.length - 1]) {
    const changed = Buffer.from(whole)
    changed[at] = (changed[at] ?? 0) ^ 1
    assert.equal(await read(changed), 'recording_unreadable', `byte ${at}`)
  }
  assert.equal(await read(Buffer.concat([whole, whole.subarray(20)])), 'recording_unreadable')
})

it('another track or call in its place is refused, and so is another master key', async (t) => {
  const { root, directory, recordings, speak } = house(t)
  recordings.start(facts())
  recordings.start(facts({ trackId: 2, track: 'outbound' }))
  speak(1, 8000)
  await recordings.close()
  const outbound = fileOf(directory, callSid, `outbound-${startedAtMs}`)
  writeFileSync(outbound, readFileSync(fileOf(directory)))
  await assert.rejects(recordings.read(callSid, `outbound-${startedAtMs}`), { code: 'recording_unreadable' })
  writeFileSync(join(root, 'audio.key'), `${'0'.repeat(64)}\n`)
  const second = house(t, {}, root)
  await assert.rejects(second.recordings.read(callSid, `inbound-${startedAtMs}`), { code: 'recording_unreadable' })
  chmodSync(join(root, 'audio.key'), 0o644)
  assert.throws(() => house(t, {}, root).keys.master(), /others may read it/)
})

it('a recording ends at its length and at the budget of disk; neither is more than told', async (t) => {
  const short = house(t, { trackSecondsMax: 2 })
  short.recordings.start(facts())
  for (let second = 0; second < 5; second++) short.speak(1, 8000)
  await short.recordings.close()
  assert.equal((await short.recordings.read(callSid, `inbound-${startedAtMs}`)).mulaw.length, 16_000)
  assert.equal(short.counters.recordingsTooLong, 1)
  const full = house(t, { bytesMax: 65_536 })
  full.recordings.start(facts())
  for (let second = 0; second < 20; second++) full.speak(1, 8000)
  await full.recordings.close()
  assert.equal(full.counters.recordingsFull, 1)
  assert.ok(full.recordings.bytes <= 65_536)
  assert.equal((await full.recordings.read(callSid, `inbound-${startedAtMs}`)).mulaw.length, 64_000)
})

it('what is older than its time to live is erased, and a call under way is not', async (t) => {
  const { clock, directory, recordings, speak, counters } = house(t)
  recordings.start(facts())
  speak(1, 8000)
  recordings.start(facts({ trackId: 2, sid: other }))
  await until(() => recordings.bytes > 8000)
  clock.advance(3_600_001)
  await recordings.expire()
  assert.equal(readdirSync(directory).length, 2)
  await recordings.close()
  await recordings.expire()
  assert.deepEqual(readdirSync(directory), [])
  assert.equal(counters.recordingsExpired, 2)
})

it('a number is erased with every call of its own and no other, however it is written', async (t) => {
  const { directory, recordings } = house(t)
  recordings.start(facts())
  const stranger = { ...facts().call, callSid: other, from: '+12025550199', to: '+12025550198' }
  recordings.start(facts({ trackId: 2, call: stranger }))
  await recordings.close()
  assert.deepEqual(await recordings.eraseOf(new Set(['1202555~abc'])), { searched: 2, erased: [] })
  const { erased } = await recordings.eraseOf(new Set(['+12025550102', '12025550102']))
  assert.deepEqual(erased, [callSid])
  assert.deepEqual(readdirSync(directory), [other])
})

it('a disk that is too slow ends the recording; what waits for it is bounded, and nobody waits for it', async (t) => {
  const { keys, recordings, speak, counters } = house(t)
  const find = keys.keyFor.bind(keys)
  let release = (): void => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  keys.keyFor = async (sid) => {
    await held
    return find(sid)
  }
  recordings.start(facts())
  const sinceMs = performance.now()
  for (let second = 0; second < 100; second++) speak(1, 8000)
  assert.ok(performance.now() - sinceMs < 1000)
  release()
  await until(() => counters.recordingsFailed === 1)
  const { mulaw, isComplete } = await recordings.read(callSid, `inbound-${startedAtMs}`)
  assert.equal(isComplete, false)
  assert.ok(mulaw.length >= 480_000 && mulaw.length <= 496_000, `${mulaw.length} bytes`)
})
