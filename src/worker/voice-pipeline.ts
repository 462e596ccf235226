/**
 * From media messages to scored hops, for all tracks of one thread. A frame is decoded, placed by its track's media
 * clock and pushed into the voice front end; hops that close wait until `tick`, which judges all of them, of all
 * tracks, in as few model runs as possible. Each hop is encoded once: the history keeps its embedding for the hops
 * after it. No threads and no timers inside: the worker and the `score` command both drive it, and must not call it
 * while a tick is under way.
 *
 *     frame -> MediaClock -> VoiceFrontEnd -> hop --> [due hops] --tick--> HopDetector   --> ScoredHop
 *                                                                   HopHistory <-- embedding
 *
 * Two hops of one track in one tick: the second needs the first's embedding. So due hops are judged in waves: wave 0
 * has the first due hop of every track, wave 1 the second, and so on.
 */
import assert from 'node:assert/strict'
import { placeSignals } from '../features/call-signals.ts'
import { type Hop, hopFlag, unfamiliarBit } from '../features/hop.ts'
import type { VoiceFrontEnd } from '../features/voice-front-end.ts'
import type { HopDetector } from '../inference/hop-detector.ts'
import type { ScoredHop } from '../inference/scored-hop.ts'
import { type DueHop, emptyDueHop, noTrack, type Track } from './due-hop.ts'
import { type FrameLayout, speechMeans } from './feature-means.ts'
import { HopHistory } from './hop-history.ts'
import { MediaClock, placement } from './media-clock.ts'
import type { PipelineCounters } from './pipeline-counters.ts'

/** The longest message the front end decodes, in samples. */
const messageSamplesMax = 8000
/** Due hops held at a time: 256 hops of 52 x 60 features are 3.2 MB. */
const dueHopsMax = 256
/** A hop with less speech is not judged: there is nothing to judge. */
const scoredSpeechMsMin = 100
/** What these flags mark is not a voice, or not only. */
const unscoredFlags = hopFlag.music | hopFlag.tone | hopFlag.dtmf

/** What the pipeline needs of the front end; the same as a real one, or a fake in tests. */
export type FrontEnd = Pick<VoiceFrontEnd, 'open' | 'close' | 'reset' | 'decode' | 'push' | 'fill'>

export type Detector = Omit<HopDetector, 'release' | 'warm'>

export interface VoicePipelineOptions {
  readonly frontEnd: FrontEnd
  readonly detector: Detector
  /** The manifest's hop.ms. */
  readonly hopMs: number
  /** How a hop's features lie; left out: their means are not told. */
  readonly frame?: FrameLayout
  readonly gapFillMsMax: number
  readonly tracksMax: number
  readonly counters: PipelineCounters
}

type Emit = (hop: ScoredHop) => void

export class VoicePipeline {
  readonly #frontEnd: FrontEnd
  readonly #detector: Detector
  readonly #options: VoicePipelineOptions
  readonly #counters: PipelineCounters
  readonly #history: HopHistory
  readonly #tracks = new Map<number, Track>()
  /** By slot of the front end. */
  readonly #bySlot: (Track | undefined)[] = []
  readonly #due: DueHop[] = []
  readonly #dueRoomMin: number
  readonly #batch: DueHop[] = []
  #dueCount = 0
  #ticking = false
  /** Clock of the caller when the frame being pushed was received. */
  #enteredMs = 0

  constructor(options: VoicePipelineOptions) {
    const { frontEnd, detector, hopMs, gapFillMsMax, tracksMax, counters } = options
    this.#frontEnd = frontEnd
    this.#detector = detector
    this.#options = options
    this.#counters = counters
    // A closed track keeps its history until its due hops are judged, hence the extra slots.
    const slots = tracksMax + dueHopsMax
    this.#history = new HopHistory({ slots, hops: detector.row.historyHops, embeddingSize: detector.row.embedding })
    for (let i = 0; i < dueHopsMax; i += 1) this.#due.push(emptyDueHop(detector.row))
    this.#dueRoomMin = Math.ceil((messageSamplesMax / 8 + gapFillMsMax) / hopMs) + 2
    assert(this.#dueRoomMin <= dueHopsMax, 'one message may close more hops than there is room for')
  }

  /** Tracks open now. */
  get tracks(): number {
    return this.#tracks.size
  }

  /** Hops that wait for the tick. */
  get due(): number {
    return this.#dueCount
  }

  /** True: no `frame` before the next `tick`. */
  get full(): boolean {
    return dueHopsMax - this.#dueCount < this.#dueRoomMin
  }

  /** @param heardUntilMs up to where another pipeline heard this track: what is missing from there on was lost */
  open(trackId: number, heardUntilMs = Number.NaN): void {
    assert(!this.#ticking && !this.#tracks.has(trackId))
    const slot = this.#frontEnd.open()
    assert(slot >= 0, 'more tracks than tracksMax')
    const track: Track = {
      ...noTrack,
      trackId,
      slot,
      historySlot: this.#history.open(),
      clock: new MediaClock(this.#options.gapFillMsMax, heardUntilMs),
      closed: false,
    }
    this.#tracks.set(trackId, track)
    this.#bySlot[slot] = track
  }

  /** Hops already closed are still judged at the next tick; the unfinished one is dropped. */
  close(trackId: number): void {
    assert(!this.#ticking)
    const track = this.#tracks.get(trackId)
    assert(track !== undefined, 'a track that was not opened')
    this.#tracks.delete(trackId)
    this.#bySlot[track.slot] = undefined
    this.#frontEnd.close(track.slot)
    track.closed = true
    if (track.due === 0) this.#history.close(track.historySlot)
  }

  /**
   * One media message: `bytes[start, end)` is base64 text of mu-law bytes.
   * @param mediaMs time of its first sample
   * @param enteredMs caller's clock, handed through to the hop that this frame closes
   */
  frame(trackId: number, mediaMs: number, bytes: Uint8Array, start: number, end: number, enteredMs: number): void {
    assert(!this.#ticking && !this.full, 'tick before the next frame')
    const track = this.#tracks.get(trackId)
    assert(track !== undefined, 'a frame of a track that was not opened')
    const samples = this.#frontEnd.decode(bytes, start, end)
    if (samples < 0) {
      this.#counters.audioUndecodable += 1
      return
    }
    if (samples === 0) return
    this.#enteredMs = enteredMs
    const { clock } = track
    switch (clock.place(mediaMs, samples)) {
      case placement.append:
        if (clock.fillSamples > 0) this.#fill(track, clock.fillSamples)
        this.#frontEnd.push(track.slot, clock.skipSamples, samples - clock.skipSamples, this)
        return
      case placement.restart:
        this.#restart(track)
        this.#frontEnd.push(track.slot, 0, samples, this)
        return
      case placement.duplicate:
        track.duplicates += 1
        this.#counters.audioDuplicate += 1
        return
      case placement.regressed:
        track.duplicates += 1
        this.#counters.audioRegressed += 1
        return
      case placement.stray:
        this.#counters.audioStray += 1
        return
    }
  }

  /** Called by the front end for each hop that closes. */
  hop(slot: number, hop: Hop): void {
    const track = this.#bySlot[slot]
    const due = this.#due[this.#dueCount]
    assert(track !== undefined && due !== undefined)
    this.#dueCount += 1
    this.#counters.hopsClosed += 1
    due.features.set(hop.features)
    due.speech.set(hop.speech)
    due.track = track
    due.wave = track.due
    due.restarted = track.restarted
    due.hopStartMs = track.clock.originMs + track.windowHops * this.#options.hopMs
    due.lengthMs = this.#options.hopMs
    due.speechFrames = hop.speechFrames
    due.flags = hop.flags
    due.filledMs = hop.filledSamples / 8
    due.lostMs = track.lostMs
    due.duplicates = track.duplicates
    due.enteredMs = this.#enteredMs
    placeSignals(hop.signals, due.hopStartMs, due.signals)
    track.due += 1
    track.windowHops += 1
    track.restarted = false
    track.lostMs = 0
    track.duplicates = 0
  }

  /** Judges all due hops and emits one ScoredHop for each; hops of one track in their order. */
  async tick(emit: Emit): Promise<void> {
    assert(!this.#ticking, 'a tick is under way')
    if (this.#dueCount === 0) return
    this.#ticking = true
    let judged = 0
    for (let wave = 0; judged < this.#dueCount; wave += 1) {
      for (let i = 0; i < this.#dueCount; i += 1) {
        const due = this.#due[i] as DueHop
        if (due.wave !== wave) continue
        judged += 1
        if (due.restarted) this.#history.clear(due.track.historySlot)
        if (!this.#worthScoring(due)) emit(this.#report(due, Number.NaN))
        else if (this.#batch.push(due) === this.#detector.batchMax) await this.#runBatch(emit)
      }
      if (this.#batch.length > 0) await this.#runBatch(emit)
    }
    this.#settle()
    this.#ticking = false
  }

  #worthScoring(due: DueHop): boolean {
    const speechMs = (due.speechFrames * this.#options.hopMs) / due.speech.length
    return speechMs >= scoredSpeechMsMin && (due.flags & unscoredFlags) === 0
  }

  async #runBatch(emit: Emit): Promise<void> {
    const { inputs, row, logit, embedding, novelty } = this.#detector
    const batch = this.#batch
    for (let r = 0; r < batch.length; r += 1) {
      const due = batch[r] as DueHop
      inputs.features.set(due.features, r * row.features)
      inputs.speech.set(due.speech, r * row.speech)
      this.#history.copy(due.track.historySlot, inputs.history, inputs.historyWeight, r)
    }
    await this.#detector.run(batch.length)
    this.#counters.inferenceRuns += 1
    for (let r = 0; r < batch.length; r += 1) {
      const due = batch[r] as DueHop
      const llr = logit[r] as number
      if (novelty !== undefined && novelty[r]! > 1 && Number.isFinite(llr)) {
        due.flags |= unfamiliarBit
        this.#counters.hopsUnfamiliar += 1
      }
      emit(this.#report(due, llr))
      // A model that answers NaN has judged nothing, and must not spoil the hops to come.
      if (!Number.isFinite(llr)) continue
      this.#counters.hopsScored += 1
      const share = due.speechFrames / due.speech.length
      const speechMs = share * this.#options.hopMs
      this.#history.add(due.track.historySlot, embedding, r * row.embedding, share, due.hopStartMs, speechMs)
    }
    batch.length = 0
  }

  #report(due: DueHop, llr: number): ScoredHop {
    const { hopMs } = this.#options
    const { historySlot, trackId } = due.track
    const hopSpeechMs = (due.speechFrames * hopMs) / due.speech.length
    return {
      trackId,
      windowStartMs: this.#history.oldestStartMs(historySlot, due.hopStartMs),
      hopStartMs: due.hopStartMs,
      hopEndMs: due.hopStartMs + due.lengthMs,
      hopSpeechMs,
      windowSpeechMs: this.#history.speechMs(historySlot) + hopSpeechMs,
      llr: Number.isFinite(llr) ? llr : Number.NaN,
      flags: due.flags,
      filledMs: due.filledMs,
      lostMs: due.lostMs,
      duplicates: due.duplicates,
      enteredMs: due.enteredMs,
      signals: due.lengthMs === 0 ? undefined : { ...due.signals },
      ...speechMeans(due.features, due.speech, this.#options.frame),
    }
  }

  /** All due hops are judged: forget them, and the history of tracks that closed meanwhile. */
  #settle(): void {
    for (let i = 0; i < this.#dueCount; i += 1) {
      const due = this.#due[i] as DueHop
      const { track } = due
      track.due -= 1
      if (track.closed && track.due === 0) this.#history.close(track.historySlot)
      due.track = noTrack
    }
    this.#dueCount = 0
  }

  #fill(track: Track, samples: number): void {
    this.#counters.audioFilledMs += samples / 8
    this.#frontEnd.fill(track.slot, samples, this)
  }

  /** A new window begins: the carried samples, the open hop and the history belong to the old one. */
  #restart(track: Track): void {
    const { lostMs } = track.clock
    const untold = track.restarted && track.windowHops === 0 && track.lostMs > 0
    track.lostMs += lostMs
    this.#counters.audioLostMs += lostMs
    track.windowHops = 0
    track.restarted = true
    this.#frontEnd.reset(track.slot)
    if (untold) this.#tellLoss(track)
  }

  /**
   * Loss that comes so often that no hop closes in between would else never be told: an entry of no length tells it.
   */
  #tellLoss(track: Track): void {
    const due = this.#due[this.#dueCount]
    assert(due !== undefined)
    this.#dueCount += 1
    due.track = track
    due.wave = track.due
    due.restarted = true
    due.hopStartMs = track.clock.originMs
    due.lengthMs = 0
    due.speechFrames = 0
    due.flags = hopFlag.gap
    due.filledMs = 0
    due.lostMs = track.lostMs
    due.duplicates = track.duplicates
    due.enteredMs = this.#enteredMs
    track.due += 1
    track.lostMs = 0
    track.duplicates = 0
  }
}
