/** Streams that REST asked for, and streams that break, as the call table treats them. */
import { strict as assert } from 'node:assert'
import { it } from 'node:test'
import { ManualClock } from '../../src/core/clock.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { CallTable } from '../../src/ingest/call-table.ts'
import type { CallFacts, CallListener } from '../../src/ingest/track.ts'
import { FakeTracks } from '../fakes/track-sink.ts'

const call: CallFacts = { callSid: 'CA1', accountSid: 'AC1', from: '', to: '', direction: 'inbound', stirVerstat: '' }
const frame = Buffer.from(Buffer.alloc(160, 0xff).toString('base64'), 'latin1')

function tableOf(track: 'inbound_track' | 'both_tracks', sink: FakeTracks, listener: CallListener): CallTable {
  const times = { reconnectGraceMs: 2000, idleTimeoutMs: 15_000 }
  return new CallTable({ sink, listener, clock: new ManualClock(), counters: zeroCounters(), track, ...times })
}

it('a track that was asked for by REST is heard although the configuration does not name it', () => {
  const tracks = new FakeTracks()
  const table = tableOf('inbound_track', tracks, tracks)
  const stream = table.start({ ...call, tracks: ['outbound'] }, 'MZa', ['outbound'])
  table.media(stream, 'outbound', 0, 2, frame, 0, frame.length)
  assert.deepEqual([tracks.events, tracks.frames.length], [['opened 1'], 1])
  table.callEnded('CA1', 'AC1')
  assert.equal(table.size, 0)
})

it('a broken socket is told once per track; a stop and the end of a displaced stream are not', () => {
  const detached: number[] = []
  const tracks = new FakeTracks()
  const table = tableOf('both_tracks', tracks, {
    opened: (track) => tracks.opened(track),
    resumed: (track, streamSid) => tracks.resumed(track, streamSid),
    closed: (trackId, reason) => tracks.closed(trackId, reason),
    detached: ({ trackId }) => void detached.push(trackId),
  })
  const first = table.start(call, 'MZa', ['inbound', 'outbound'])
  const second = table.start(call, 'MZb', ['inbound', 'outbound'])
  table.closed(first)
  assert.deepEqual(detached, [])
  table.closed(second)
  assert.deepEqual(detached, [1, 2])
  const stopped = table.start({ ...call, callSid: 'CA2' }, 'MZc', ['inbound', 'outbound'])
  table.stop(stopped)
  table.closed(stopped)
  assert.deepEqual(detached, [1, 2])
})
