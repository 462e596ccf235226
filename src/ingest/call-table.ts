/**
 * The calls that are being listened to: one detection per (CallSid, track), over however many streams Twilio opens for
 * it. Promises: every opened detection closes exactly once; its media time never runs backwards when streams change;
 * only its current stream feeds it. A state machine without sockets or timers: `tick` runs what is due. Main thread.
 *
 *   start ──► current stream ──► socket closed, no other one sending ──► waiting ── grace over ─► closed: socket_closed
 *              │  │  │  ▲                                                  │
 *              │  │  │  └───────────── new stream: resumed ◄───────────────┘
 *              │  │  └ newer stream: this one is displaced, and takes over again if it outlives the newer one
 *              │  └ no frame for idleTimeoutMs ──► closed: idle (the next frame opens a new detection)
 *              └ stop, no other one sending ──► closed: stop        call-status ──► closed: call_status
 */
import type { Clock } from '../core/clock.ts'
import type { Counters } from '../core/metrics.ts'
import { mediaJumpMsMax } from '../wire/twilio-media.ts'
import { CallStream, type Detection, type StreamLane } from './call-stream.ts'
import type { CallFacts, CallListener, EndReason, TrackName, TrackSink } from './track.ts'

/** base64 characters of one message: 8000 bytes of mu-law, one second. */
const payloadCharsMax = 10_668
/** So old, ms, are frames of a clock that was set back, and so much audio of them in a run tells it from stragglers. */
const clockSetBackMsMin = 1000
/** How well one frame of such a run must follow the one before. */
const clockFollowsMs = 100
/** Timestamps are whole ms and frames are not: one may seem to begin so much before the end of the last. */
const roundingMs = 2
/** Streams of one track that wait displaced; Twilio allows a call 4 tracks at a time. */
const displacedStreamsMax = 4

const allTracks: readonly TrackName[] = ['inbound', 'outbound']

export interface CallTableOptions {
  readonly sink: TrackSink
  readonly listener: CallListener
  readonly clock: Clock
  readonly counters: Counters
  /** `twilio.track`: which tracks are watched. */
  readonly track: 'inbound_track' | 'outbound_track' | 'both_tracks'
  /** ms that a detection without a stream waits for the next one. */
  readonly reconnectGraceMs: number
  /** ms without a frame after which a detection ends. */
  readonly idleTimeoutMs: number
}

export class CallTable {
  readonly #options: CallTableOptions
  readonly #watched: readonly TrackName[]
  /** By `detectionKey`; live ones only. */
  readonly #detections = new Map<string, Detection>()
  #nextTrackId = 1
  #isEnded = false

  constructor(options: CallTableOptions) {
    this.#options = options
    const { track } = options
    if (track === 'both_tracks') this.#watched = ['inbound', 'outbound']
    else this.#watched = [track === 'inbound_track' ? 'inbound' : 'outbound']
  }

  /** Live detections. */
  get size(): number {
    return this.#detections.size
  }

  /** A stream's start message. The stream becomes the current one of each of its tracks that shall be heard. */
  start(call: CallFacts, streamSid: string, tracks: readonly TrackName[]): CallStream {
    const stream = new CallStream(call, streamSid)
    for (const track of allTracks) {
      const isWatched = this.#watched.includes(track) || call.tracks?.includes(track)
      if (isWatched && tracks.includes(track)) this.#attach(stream, track)
    }
    return stream
  }

  /** One media message; `message[start, end)` is its base64 payload. */
  media(
    stream: CallStream,
    track: TrackName,
    timestampMs: number,
    sequenceNumber: number,
    message: Uint8Array,
    start: number,
    end: number,
  ): void {
    const { counters, clock, sink } = this.#options
    if (sequenceNumber >= 0) {
      if (sequenceNumber <= stream.sequenceNumber) {
        counters.mediaSequenceRegressed += 1
        return
      }
      stream.sequenceNumber = sequenceNumber
    }
    if (end - start > payloadCharsMax) {
      counters.mediaTooLarge += 1
      return
    }
    const now = clock.steadyMs()
    const lane = stream.lane(track)
    if (lane.state !== 'current') this.#offer(stream, track, lane)
    const { detection } = lane
    if (lane.state !== 'current' || detection === null) {
      lane.frameAtMs = now
      counters[droppedBy[lane.state]] += 1
      return
    }
    if (lane.baseMs === null) lane.baseMs = baseFor(detection, timestampMs, now)
    const endMs = timestampMs + mediaLengthMs(message, start, end)
    if (lane.baseMs + endMs < detection.mediaMs - clockSetBackMsMin) this.#setBack(lane, detection, timestampMs, endMs)
    else lane.setBackEndMs = Number.NaN
    const mediaMs = lane.baseMs + timestampMs
    if (mediaMs < 0) {
      counters.mediaMalformed += 1
      return
    }
    detection.frameAtMs = now
    const jumpMs = detection.mediaMs < 0 ? 0 : mediaMs - detection.mediaMs
    if (mediaMs > detection.mediaMs && jumpMs < mediaJumpMsMax) {
      detection.mediaMs = mediaMs
      detection.mediaEndMs = lane.baseMs + endMs
    }
    if (sink.frame(detection.facts.trackId, mediaMs, message, start, end, now)) counters.mediaFrames += 1
    else counters.mediaRingFull += 1
  }

  /** A stream's stop message: its detections end, unless an older stream of theirs is still sending. */
  stop(stream: CallStream): void {
    for (const detection of this.#leave(stream)) this.#close(detection, 'stop')
  }

  /** A stream's socket closed. After a stop there is nothing left to do. */
  closed(stream: CallStream): void {
    for (const detection of this.#leave(stream)) {
      detection.stream = null
      detection.detachedAtMs = this.#options.clock.steadyMs()
      this.#options.listener.detached?.(detection.facts)
    }
  }

  /** Twilio reports the call as over. `accountSid` is the account that signed the report. */
  callEnded(callSid: string, accountSid: string): void {
    for (const track of allTracks) {
      const detection = this.#detections.get(detectionKey(callSid, track))
      if (detection?.facts.call.accountSid === accountSid) this.#close(detection, 'call_status')
    }
  }

  /** Somebody asks for the end of one detection. False: it is not live. */
  end(callSid: string, track: TrackName, reason: EndReason): boolean {
    const detection = this.#detections.get(detectionKey(callSid, track))
    if (detection !== undefined) this.#close(detection, reason)
    return detection !== undefined
  }

  /** Ends everything; nothing opens any more. */
  endAll(reason: EndReason): void {
    this.#isEnded = true
    for (const detection of [...this.#detections.values()]) this.#close(detection, reason)
  }

  /** Graces and idle times that are over. Call it several times a second. */
  tick(): void {
    const { clock, idleTimeoutMs, reconnectGraceMs } = this.#options
    const now = clock.steadyMs()
    for (const detection of [...this.#detections.values()]) {
      if (detection.stream === null) {
        if (now - detection.detachedAtMs >= reconnectGraceMs) this.#close(detection, 'socket_closed')
      } else if (now - detection.frameAtMs >= idleTimeoutMs) this.#close(detection, 'idle')
    }
  }

  /**
   * A frame that is far too old. One is a late duplicate and left to the media clock, which drops it; a run of frames
   * that follow one another is a clock that was set back, else the track would be deaf until it has caught up. Their
   * time goes on behind what was heard; the run itself was dropped and shows as lost.
   */
  #setBack(lane: StreamLane, detection: Detection, timestampMs: number, endMs: number): void {
    const aheadMs = timestampMs - lane.setBackEndMs
    const follows = aheadMs >= -roundingMs && aheadMs <= clockFollowsMs
    if (!follows) lane.setBackStartMs = timestampMs
    lane.setBackEndMs = endMs
    const runMs = endMs - lane.setBackStartMs
    if (runMs < clockSetBackMsMin) return
    lane.baseMs = detection.mediaEndMs + runMs - endMs
    lane.setBackEndMs = Number.NaN
    this.#options.counters.mediaClockSetBack += 1
  }

  /** A frame came on a lane that feeds nothing: may it do so again? */
  #offer(stream: CallStream, track: TrackName, lane: StreamLane): void {
    // Silence ended the detection; the speech after it must not go unheard.
    if (lane.state === 'idled') this.#attach(stream, track)
    // The stream that displaced this one has gone, and the detection waits.
    else if (lane.state === 'displaced' && lane.detection?.stream === null) this.#resume(lane.detection, stream)
  }

  /** Makes `stream` the current one of its call and track; opens the detection when there is none. */
  #attach(stream: CallStream, track: TrackName): void {
    const key = detectionKey(stream.call.callSid, track)
    const detection = this.#detections.get(key)
    if (detection === undefined) {
      this.#open(stream, track, key)
      return
    }
    if (detection.facts.call.accountSid !== stream.call.accountSid) {
      // One account must not take over, or speak in, the call of another.
      stream.lane(track).state = 'refused'
      this.#options.counters.callsRefused += 1
      return
    }
    const { displaced, stream: older } = detection
    if (older !== null) {
      const lane = older.lane(track)
      lane.state = 'displaced'
      lane.frameAtMs = detection.frameAtMs
      displaced.push(older)
      if (displaced.length > displacedStreamsMax) displaced.shift()
      this.#options.counters.streamsDisplaced += 1
    }
    this.#resume(detection, stream)
  }

  #open(stream: CallStream, track: TrackName, key: string): void {
    const { clock, counters, listener, sink } = this.#options
    const trackId = this.#nextTrackId
    if (this.#isEnded || !sink.open(trackId)) {
      stream.lane(track).state = 'refused'
      counters.callsRefused += 1
      return
    }
    this.#nextTrackId += 1
    const { call, streamSid } = stream
    const now = clock.steadyMs()
    const detection: Detection = {
      facts: { trackId, track, call, streamSid, startedAtMs: clock.wallMs() },
      stream: null,
      displaced: [],
      detachedAtMs: now,
      frameAtMs: now,
      mediaMs: -1,
      mediaEndMs: -1,
    }
    this.#detections.set(key, detection)
    feed(detection, stream)
    counters.callsStarted += 1
    listener.opened(detection.facts)
  }

  /** Another stream goes on with a detection. */
  #resume(detection: Detection, stream: CallStream): void {
    const waiting = detection.displaced.indexOf(stream)
    if (waiting >= 0) detection.displaced.splice(waiting, 1)
    feed(detection, stream)
    this.#options.counters.streamsResumed += 1
    this.#options.listener.resumed(detection.facts, stream.streamSid)
  }

  /** A stream is over. Returns the detections it leaves without a stream: no older one that still sends took over. */
  #leave(stream: CallStream): Detection[] {
    const sendingSinceMs = this.#options.clock.steadyMs() - this.#options.reconnectGraceMs
    const left: Detection[] = []
    for (const track of allTracks) {
      const lane = stream.lane(track)
      const { detection } = lane
      const isCurrent = lane.state === 'current'
      lane.state = 'over'
      lane.detection = null
      if (detection === null) continue
      const waiting = detection.displaced.indexOf(stream)
      if (waiting >= 0) detection.displaced.splice(waiting, 1)
      if (!isCurrent) continue
      const next = detection.displaced.findLast((older) => older.lane(track).frameAtMs > sendingSinceMs)
      if (next === undefined) left.push(detection)
      else this.#resume(detection, next)
    }
    return left
  }

  #close(detection: Detection, reason: EndReason): void {
    const { counters, listener, sink } = this.#options
    const { call, track, trackId } = detection.facts
    this.#detections.delete(detectionKey(call.callSid, track))
    const streams = detection.stream === null ? detection.displaced : [detection.stream, ...detection.displaced]
    for (const stream of streams) {
      const lane = stream.lane(track)
      lane.state = reason === 'idle' ? 'idled' : 'over'
      lane.detection = null
    }
    sink.close(trackId)
    counters.callsEnded += 1
    listener.closed(trackId, reason)
  }
}

/** What a frame is counted as when its lane feeds no detection. */
const droppedBy = {
  unwatched: 'mediaUnknownTrack',
  current: 'mediaAfterEnd',
  displaced: 'mediaDisplaced',
  refused: 'mediaRefused',
  idled: 'mediaAfterEnd',
  over: 'mediaAfterEnd',
} as const satisfies Record<StreamLane['state'], keyof Counters>

function detectionKey(callSid: string, track: TrackName): string {
  return `${callSid}/${track}`
}

function feed(detection: Detection, stream: CallStream): void {
  const lane = stream.lane(detection.facts.track)
  lane.state = 'current'
  lane.detection = detection
  // Each time anew: a stream that was displaced for a while must not overlap with what replaced it.
  lane.baseMs = null
  lane.setBackEndMs = Number.NaN
  detection.stream = stream
}

/**
 * What to add to a stream's timestamps so that the detection's own clock goes on. A stream that takes over counts from
 * 0 again: its first frame lies as far behind the last frame of the one before as they are apart in arrival, never
 * before that frame's end.
 */
function baseFor(detection: Detection, timestampMs: number, now: number): number {
  if (detection.mediaMs < 0) return 0
  const passedMs = Math.round(now - detection.frameAtMs)
  return Math.max(detection.mediaEndMs, detection.mediaMs + passedMs) - timestampMs
}

const equalsSign = 0x3d

/** ms of audio in a payload, rounded up: 4 characters are 3 bytes of mu-law (less the padding), 8 bytes are 1 ms. */
function mediaLengthMs(message: Uint8Array, start: number, end: number): number {
  let last = end
  while (last > start && message[last - 1] === equalsSign) last -= 1
  return Math.ceil(Math.floor(((last - start) * 3) / 4) / 8)
}
