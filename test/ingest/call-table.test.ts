/** The life of detections over streams, with time held still; then against a simple model under random events. */
import { strict as assert } from 'node:assert'
import { it } from 'node:test'
import fc from 'fast-check'
import { ManualClock } from '../../src/core/clock.ts'
import { type Counters, zeroCounters } from '../../src/core/metrics.ts'
import type { CallStream } from '../../src/ingest/call-stream.ts'
import { CallTable, type CallTableOptions } from '../../src/ingest/call-table.ts'
import type { CallFacts, TrackName } from '../../src/ingest/track.ts'
import { FakeTracks } from '../fakes/track-sink.ts'

/** 20 ms of mu-law silence, as Twilio sends it: 216 characters. */
const frame20ms = Buffer.from(Buffer.alloc(160, 0xff).toString('base64'), 'latin1')

function facts(callSid: string): CallFacts {
  return { callSid, accountSid: 'AC1', from: '', to: '', direction: 'inbound', stirVerstat: '' }
}

class Bench {
  readonly clock = new ManualClock()
  readonly tracks = new FakeTracks()
  readonly counters: Counters = zeroCounters()
  readonly table: CallTable
  readonly #sequences = new Map<CallStream, number>()

  constructor(options: Partial<CallTableOptions> = {}) {
    this.table = new CallTable({
      sink: this.tracks,
      listener: this.tracks,
      clock: this.clock,
      counters: this.counters,
      track: 'inbound_track',
      reconnectGraceMs: 2000,
      idleTimeoutMs: 15_000,
      ...options,
    })
  }

  start(callSid: string, streamSid = 'MZa', tracks: TrackName[] = ['inbound']): CallStream {
    return this.table.start(facts(callSid), streamSid, tracks)
  }

  frame(stream: CallStream, timestampMs: number, track: TrackName = 'inbound', sequence?: number): void {
    const next = sequence ?? (this.#sequences.get(stream) ?? 1) + 1
    this.#sequences.set(stream, next)
    this.table.media(stream, track, timestampMs, next, frame20ms, 0, frame20ms.length)
  }

  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += 100) {
      this.clock.advance(Math.min(100, ms - passed))
      this.table.tick()
    }
  }
}

it('a stream opens one detection, feeds it, and stop ends it', () => {
  const bench = new Bench()
  const { clock, counters, table, tracks } = bench
  const stream = bench.start('CA1')
  bench.frame(stream, 0)
  bench.frame(stream, 20)
  table.stop(stream)
  table.stop(stream)
  table.closed(stream)
  assert.deepEqual(tracks.events, ['opened 1', 'closed 1 stop'])
  assert.deepEqual(tracks.times(1), [0, 20])
  assert.equal(tracks.frames[0]?.payload, frame20ms.toString('latin1'))
  assert.deepEqual(tracks.facts.get(1), {
    trackId: 1,
    track: 'inbound',
    call: facts('CA1'),
    streamSid: 'MZa',
    startedAtMs: clock.wallMs(),
  })
  assert.equal(table.size, 0)
  assert.equal(counters.callsStarted, 1)
  assert.equal(counters.callsEnded, 1)
  assert.equal(counters.mediaFrames, 2)
})

it('each track of a call is a detection of its own, and tracks we do not watch are counted', () => {
  const both = new Bench({ track: 'both_tracks' })
  const stream = both.start('CA1', 'MZa', ['inbound', 'outbound'])
  both.frame(stream, 0, 'outbound')
  both.frame(stream, 0, 'inbound')
  assert.deepEqual(both.tracks.events, ['opened 1', 'opened 2'])
  assert.deepEqual([both.tracks.times(1), both.tracks.times(2)], [[0], [0]])

  const one = new Bench({ track: 'outbound_track' })
  const other = one.start('CA1', 'MZa', ['inbound', 'outbound'])
  one.frame(other, 0, 'inbound')
  one.frame(other, 0, 'outbound')
  assert.equal(one.counters.mediaUnknownTrack, 1)
  assert.deepEqual(one.tracks.times(1), [0])
})

it('a stream that comes back within the grace continues the detection on its own clock', () => {
  const bench = new Bench()
  const first = bench.start('CA1')
  bench.frame(first, 0)
  bench.frame(first, 20)
  bench.table.closed(first)
  bench.pass(1500)
  const second = bench.start('CA1', 'MZb')
  bench.pass(100)
  // Its timestamps start at 0 again; 1600 ms have passed since the frame at 20.
  bench.frame(second, 0)
  bench.frame(second, 20)
  bench.table.stop(second)
  assert.deepEqual(bench.tracks.times(1), [0, 20, 1620, 1640])
  assert.deepEqual(bench.tracks.events, ['opened 1', 'resumed 1 MZb', 'closed 1 stop'])
  assert.equal(bench.counters.streamsResumed, 1)
})

it('without another stream the detection ends when the grace is over, and not before', () => {
  const bench = new Bench()
  const stream = bench.start('CA1')
  bench.frame(stream, 0)
  bench.table.closed(stream)
  bench.pass(1900)
  assert.equal(bench.table.size, 1)
  bench.pass(100)
  assert.deepEqual(bench.tracks.events, ['opened 1', 'closed 1 socket_closed'])
  const late = bench.start('CA1', 'MZb')
  bench.frame(late, 0)
  assert.deepEqual(bench.tracks.times(2), [0])
})

it('the newest stream wins; frames of the older one are dropped and counted, and its end ends nothing', () => {
  const bench = new Bench()
  const older = bench.start('CA1', 'MZa')
  bench.frame(older, 0)
  bench.pass(20)
  const newer = bench.start('CA1', 'MZb')
  bench.frame(newer, 0)
  bench.frame(older, 20)
  bench.pass(20)
  bench.frame(newer, 20)
  bench.table.stop(older)
  bench.table.closed(older)
  bench.frame(newer, 40)
  assert.deepEqual(bench.tracks.events, ['opened 1', 'resumed 1 MZb'])
  assert.deepEqual(bench.tracks.times(1), [0, 20, 40, 60])
  assert.equal(bench.counters.mediaDisplaced, 1)
  assert.equal(bench.counters.streamsDisplaced, 1)
})

it('a second stream that is short-lived does not take the first one along', () => {
  for (const end of ['stop', 'closed'] as const) {
    const bench = new Bench()
    const first = bench.start('CA1', 'MZa')
    bench.frame(first, 0)
    const second = bench.start('CA1', 'MZb')
    bench.pass(20)
    bench.frame(second, 0)
    bench.frame(first, 20)
    bench.table[end](second)
    bench.pass(20)
    bench.frame(first, 40)
    bench.table.stop(first)
    assert.deepEqual(bench.tracks.events, ['opened 1', 'resumed 1 MZb', 'resumed 1 MZa', 'closed 1 stop'], end)
    assert.deepEqual(bench.tracks.times(1), [0, 20, 40], end)
  }
})

it('a displaced stream that has gone quiet does not hold a stopped call open', () => {
  const bench = new Bench()
  const zombie = bench.start('CA1', 'MZa')
  bench.frame(zombie, 0)
  const current = bench.start('CA1', 'MZb')
  for (let at = 0; at < 3000; at += 500) {
    bench.frame(current, at)
    bench.pass(500)
  }
  bench.table.stop(current)
  assert.deepEqual(bench.tracks.events.at(-1), 'closed 1 stop')
  bench.frame(zombie, 20)
  assert.equal(bench.counters.mediaAfterEnd, 1)
})

it('a detection that waits takes back a displaced stream that starts to send again', () => {
  const bench = new Bench()
  const older = bench.start('CA1', 'MZa')
  bench.frame(older, 0)
  const newer = bench.start('CA1', 'MZb')
  bench.pass(5000)
  bench.frame(newer, 0)
  bench.table.closed(newer)
  bench.pass(1000)
  bench.frame(older, 6000)
  assert.deepEqual(bench.tracks.events, ['opened 1', 'resumed 1 MZb', 'resumed 1 MZa'])
  assert.deepEqual(bench.tracks.times(1), [0, 5000, 6000])
})

it('a sequence number that repeats or falls back is dropped and counted', () => {
  const bench = new Bench()
  const stream = bench.start('CA1')
  bench.frame(stream, 0, 'inbound', 5)
  bench.frame(stream, 0, 'inbound', 5)
  bench.frame(stream, 20, 'inbound', 4)
  bench.frame(stream, 40, 'inbound', 9)
  assert.deepEqual(bench.tracks.times(1), [0, 40])
  assert.equal(bench.counters.mediaSequenceRegressed, 2)
})

it('a stream whose timestamps are set back is heard on after a second, which shows as lost', () => {
  const bench = new Bench()
  const stream = bench.start('CA1')
  for (let at = 0; at < 60_000; at += 20) bench.frame(stream, at)
  for (let at = 0; at < 3000; at += 20) bench.frame(stream, at)
  const after = bench.tracks.times(1).slice(3000)
  assert.deepEqual(
    after.slice(0, 49),
    Array.from({ length: 49 }, (_, n) => n * 20),
  )
  // The first 49 frames are left to the media clock as duplicates; 60 000 + 49 * 20.
  assert.deepEqual(
    after.slice(49),
    Array.from({ length: 101 }, (_, n) => 60_980 + n * 20),
  )
  assert.equal(bench.counters.mediaClockSetBack, 1)
})

it('stragglers, repeated frames and a frame far ahead do not set a clock back', () => {
  const bench = new Bench()
  const stream = bench.start('CA1')
  bench.frame(stream, 0)
  bench.frame(stream, 82_800_000)
  for (let at = 0; at < 10_000; at += 20) {
    bench.frame(stream, at)
    bench.frame(stream, Math.max(0, at - 5000))
  }
  for (let n = 0; n < 200; n += 1) bench.frame(stream, 1000)
  assert.equal(bench.counters.mediaClockSetBack, 0)
})

it('a stream of another account neither feeds, displaces nor ends the detection of a call', () => {
  const bench = new Bench()
  const stream = bench.start('CA1')
  bench.frame(stream, 0)
  const foreign = bench.table.start({ ...facts('CA1'), accountSid: 'AC2' }, 'MZx', ['inbound'])
  bench.frame(foreign, 20)
  bench.frame(stream, 20)
  bench.table.stop(foreign)
  bench.table.closed(foreign)
  assert.deepEqual(bench.tracks.times(1), [0, 20])
  assert.deepEqual(bench.tracks.events, ['opened 1'])
  assert.deepEqual(
    [bench.counters.callsRefused, bench.counters.mediaRefused, bench.counters.streamsDisplaced],
    [1, 1, 0],
  )
})

it('no frame for the idle time ends the detection; speech after it opens another', () => {
  const bench = new Bench()
  const stream = bench.start('CA1')
  bench.frame(stream, 0)
  bench.pass(14_900)
  bench.frame(stream, 14_900)
  bench.pass(14_900)
  assert.equal(bench.table.size, 1)
  bench.pass(100)
  assert.deepEqual(bench.tracks.events, ['opened 1', 'closed 1 idle'])
  bench.frame(stream, 40_000)
  bench.table.stop(stream)
  assert.deepEqual(bench.tracks.events, ['opened 1', 'closed 1 idle', 'opened 2', 'closed 2 stop'])
  assert.deepEqual(bench.tracks.times(2), [40_000])
})

it('call status ends both tracks of the call of that account, and frames after it open nothing', () => {
  const bench = new Bench({ track: 'both_tracks' })
  const stream = bench.start('CA1', 'MZa', ['inbound', 'outbound'])
  const neighbour = bench.start('CA2', 'MZb')
  bench.table.callEnded('CA1', 'AC of somebody else')
  assert.equal(bench.table.size, 3)
  bench.table.callEnded('CA1', 'AC1')
  bench.table.callEnded('CA1', 'AC1')
  bench.frame(stream, 0)
  bench.frame(neighbour, 0)
  bench.pass(1000)
  bench.table.closed(stream)
  assert.deepEqual(bench.tracks.events.slice(3), ['closed 1 call_status', 'closed 2 call_status'])
  assert.equal(bench.counters.mediaAfterEnd, 1)
  assert.equal(bench.table.size, 1)
})

it('without room the call goes on unwatched and is counted', () => {
  const bench = new Bench()
  bench.tracks.isFull = true
  const stream = bench.start('CA1')
  bench.frame(stream, 0)
  bench.table.stop(stream)
  bench.tracks.isFull = false
  const later = bench.start('CA2')
  bench.tracks.isRingFull = true
  bench.frame(later, 0)
  assert.deepEqual(bench.tracks.events, ['opened 1'])
  assert.equal(bench.counters.callsRefused, 1)
  assert.equal(bench.counters.mediaRefused, 1)
  assert.equal(bench.counters.mediaRingFull, 1)
})

it('more than 8000 bytes of audio in one message are dropped and counted', () => {
  const bench = new Bench()
  const stream = bench.start('CA1')
  const largest = Buffer.from(Buffer.alloc(8000).toString('base64'), 'latin1')
  bench.table.media(stream, 'inbound', 0, 2, largest, 0, largest.length)
  const larger = Buffer.from(Buffer.alloc(8001 + 2).toString('base64'), 'latin1')
  bench.table.media(stream, 'inbound', 1000, 3, larger, 0, larger.length)
  assert.deepEqual(bench.tracks.times(1), [0])
  assert.equal(bench.counters.mediaTooLarge, 1)
})

it('the end of everything closes each detection once, and nothing opens after it', () => {
  const bench = new Bench()
  const stream = bench.start('CA1')
  bench.start('CA2', 'MZb')
  bench.table.endAll('interrupted')
  bench.table.endAll('interrupted')
  bench.table.closed(stream)
  bench.start('CA3', 'MZc')
  assert.deepEqual(bench.tracks.events.slice(2), ['closed 1 interrupted', 'closed 2 interrupted'])
  assert.equal(bench.table.size, 0)
})

it('an operator ends one track, once', () => {
  const bench = new Bench()
  bench.start('CA1')
  assert.equal(bench.table.end('CA1', 'inbound', 'operator'), true)
  assert.equal(bench.table.end('CA1', 'inbound', 'operator'), false)
  assert.deepEqual(bench.tracks.events, ['opened 1', 'closed 1 operator'])
})

/** One random event: which of a few calls, which of its streams, what happens, how much time passes before. */
const event = fc.record({
  call: fc.nat(2),
  stream: fc.nat(3),
  what: fc.constantFrom('start', 'frame', 'frame', 'frame', 'frame', 'stop', 'close', 'status', 'pass', 'refuse'),
  track: fc.constantFrom<TrackName>('inbound', 'outbound'),
  passMs: fc.oneof({ weight: 6, arbitrary: fc.nat(60) }, fc.nat(2500), fc.nat(20_000)),
  timestampMs: fc.nat(30_000),
})

it('under any events there is one detection per call and track, closed once, and its time never runs back', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 120 }), (events) => {
      const bench = new Bench({ track: 'both_tracks' })
      const streams: { callSid: string; stream: CallStream; atMs: number }[] = []
      for (const { call, passMs, stream: pick, timestampMs, track, what } of events) {
        const callSid = `CA${call}`
        const own = streams.filter((open) => open.callSid === callSid)
        const open = own[pick % Math.max(1, own.length)]
        if (what === 'start') {
          const stream = bench.start(callSid, `MZ${streams.length}`, ['inbound', 'outbound'])
          streams.push({ callSid, stream, atMs: timestampMs })
        } else if (what === 'pass') bench.pass(passMs)
        else if (what === 'status') bench.table.callEnded(callSid, 'AC1')
        else if (what === 'refuse') bench.tracks.isFull = !bench.tracks.isFull
        else if (open && what === 'frame') {
          bench.clock.advance(passMs % 40)
          open.atMs += 20
          bench.frame(open.stream, open.atMs, track)
        } else if (open && what === 'stop') bench.table.stop(open.stream)
        else if (open) {
          bench.table.closed(open.stream)
          streams.splice(streams.indexOf(open), 1)
        }
        // FakeTracks itself asserts that nothing opens, closes or ends twice, and no frame goes to a closed track.
        const keys = [...bench.tracks.live].map((id) => {
          const live = bench.tracks.facts.get(id)
          return `${live?.call.callSid}/${live?.track}`
        })
        assert.equal(new Set(keys).size, keys.length, 'one detection per call and track')
        assert.equal(bench.tracks.live.size, bench.table.size)
        assert.deepEqual([...bench.tracks.sinkOpen].sort(), [...bench.tracks.live].sort())
      }
      for (const id of bench.tracks.facts.keys()) {
        const times = bench.tracks.times(id)
        // Timestamps of each stream rise here, so all of a detection's must.
        assert.deepEqual(
          times,
          times.toSorted((a, b) => a - b),
        )
        assert.equal(new Set(times).size, times.length)
      }
      // Left alone, everything ends by itself: the grace for those without a stream, idle for the rest.
      bench.pass(15_100)
      assert.equal(bench.table.size, 0)
      assert.equal(bench.tracks.ended.size, bench.tracks.facts.size)
      assert.equal(bench.counters.callsStarted, bench.counters.callsEnded)
    }),
    { numRuns: 400 },
  )
})
