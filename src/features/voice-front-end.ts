/**
 * From the bytes of a track to closed hops: base64, mu-law, (16 kHz,) log bands or cepstra, speech mask, flags. One per
 * voice worker; score command and training dump use the same class, so a model meets live what it was trained on.
 * All state of a track is one slot of the kernels' memory: the bytes of the open hop with as much history as a window
 * (and the interpolator) reaches back, and the context frames. For the shipped 8 kHz model that is under 10 KiB a track
 * (`bytesPerTrack`), at most 60 KiB for any definition. Nothing is allocated per frame; a hop's views are reused.
 *
 *   slot   ┌─────────────┬──────────────────────────────┬──────────────────┐
 *          │ history     │ open hop, mu-law bytes       │ context features │
 *          │ H bytes     │ hopSamples8k, `fill` of them │ C x width x f32  │
 *          └─────────────┴──────────────────────────────┴──────────────────┘
 *   When `fill` reaches the hop: history + hop -> floats (-> 16 kHz) -> frames; frame t ends at sample (t + 1) x 80
 *   of the hop and its window reaches back. Then the last H bytes become the history, the last C rows the context. So
 *   where messages begin and end cannot show in the result.
 */
import { strict as assert } from 'node:assert'
import { planBands } from '../audio/band-plan.ts'
import { cepstra, dctTable } from '../audio/cepstra.ts'
import { statsPerFrame } from '../audio/frame-stats.ts'
import { muLawZero } from '../audio/g711.ts'
import { Kernels } from '../audio/kernels.ts'
import { tapsPerPhase } from '../audio/resample.ts'
import { CallSignals, noSignals } from './call-signals.ts'
import { audioSamplesOf, type BandFeatureSpec, featureWidth, type Hop, type HopSpec, hopFlag } from './hop.ts'
import { HopFlags } from './hop-flags.ts'

/** Rate of G.711, of the sample counts in this file's interface and of the media clock. */
const narrowHz = 8000

/** No feature definition may cost a track more than this. */
const bytesPerTrackMax = 61_440

export interface HopSink {
  hop(slot: number, hop: Hop): void
}

interface Layout {
  readonly historyBytes: number
  readonly hopBytes: number
  readonly contextAt: number
  readonly slotBytes: number
  /** Samples at the model's rate before the hop. */
  readonly reachSamples: number
}

const alignUp = (bytes: number): number => (bytes + 15) & ~15

function layoutOf(spec: HopSpec): Layout {
  const { features, hopFrames, contextFrames } = spec
  const factor = features.sampleRateHz / narrowHz
  const hopBytes = (hopFrames * features.hopSamples) / factor
  assert(Number.isInteger(hopBytes) && hopBytes % 4 === 0, 'a hop must be a whole number of 4 samples at 8 kHz')
  const reachSamples = features.windowSamples - features.hopSamples
  const reachBytes = factor === 1 ? reachSamples : reachSamples / 2 + tapsPerPhase
  const historyBytes = alignUp(spec.audioHz === 16_000 ? Math.max(reachBytes, tapsPerPhase) : reachBytes)
  const contextAt = alignUp(historyBytes + hopBytes)
  const slotBytes = alignUp(contextAt + contextFrames * featureWidth(features) * 4)
  assert(
    slotBytes <= bytesPerTrackMax,
    `a track would cost ${slotBytes} bytes, at most ${bytesPerTrackMax} are allowed`,
  )
  return { historyBytes, hopBytes, contextAt, slotBytes, reachSamples }
}

/** Features of a frame of digital silence. */
function silentFeatures(features: BandFeatureSpec): Float32Array {
  const bands = new Float32Array(features.bands).fill(Math.log(features.floor))
  if (features.kind === 'log-bands') return bands
  const out = new Float32Array(features.coefficients)
  cepstra(dctTable(features.bands, features.coefficients), bands, features.bands, out)
  return out
}

export class VoiceFrontEnd {
  readonly #spec: HopSpec
  readonly #layout: Layout
  readonly #kernels: Kernels
  readonly #flags: HopFlags
  readonly #signals: CallSignals
  readonly #fill: Int32Array
  readonly #filledSamples: Int32Array
  readonly #isOpen: Uint8Array
  readonly #free: number[]
  readonly #hop: Hop
  /** Where the kernels leave a hop's features, and the samples that are to stand behind them. */
  readonly #features: Float32Array
  readonly #audio: Float32Array
  readonly #stats: Float32Array
  /** The context of a track that has not begun. */
  readonly #silence: Float32Array
  /** The buffer messages came from last, seen as words: a ring is one buffer, so this is made once. */
  #textBuffer: ArrayBufferLike | undefined
  #textWords: Int32Array

  private constructor(spec: HopSpec, layout: Layout, kernels: Kernels, tracksMax: number) {
    this.#spec = spec
    this.#layout = layout
    this.#kernels = kernels
    this.#flags = new HopFlags(kernels, spec, kernels.at.NARROW + layout.historyBytes * 4, tracksMax)
    this.#signals = new CallSignals((spec.features.hopSamples * 1000) / spec.features.sampleRateHz, tracksMax)
    this.#fill = new Int32Array(tracksMax)
    this.#filledSamples = new Int32Array(tracksMax)
    this.#isOpen = new Uint8Array(tracksMax)
    this.#free = Array.from({ length: tracksMax }, (_, i) => tracksMax - 1 - i)
    this.#textWords = kernels.words
    const rows = spec.contextFrames + spec.hopFrames
    this.#features = kernels.floatsAt(kernels.at.FEATURES, rows * featureWidth(spec.features))
    const audioSamples = audioSamplesOf(spec)
    const audioAt = spec.audioHz === narrowHz ? kernels.at.NARROW + layout.historyBytes * 4 : kernels.at.WIDE
    this.#audio = kernels.floatsAt(audioAt, audioSamples)
    this.#hop = {
      // Views of one memory need no copy, as long as nothing stands behind the features.
      features: audioSamples === 0 ? this.#features : new Float32Array(this.#features.length + audioSamples),
      speech: kernels.floatsAt(kernels.at.SPEECH, spec.hopFrames),
      speechFrames: 0,
      filledSamples: 0,
      flags: 0,
      dtmfDigit: '',
      signals: noSignals(),
    }
    this.#stats = kernels.floatsAt(kernels.at.STATS, spec.hopFrames * statsPerFrame)
    const silent = silentFeatures(spec.features)
    this.#silence = new Float32Array(spec.contextFrames * silent.length).map((_, i) => silent[i % silent.length]!)
  }

  static create(spec: HopSpec, tracksMax: number): VoiceFrontEnd {
    const layout = layoutOf(spec)
    const plan = planBands(spec.features)
    const kernels = Kernels.load(layout.slotBytes * tracksMax)
    const { at } = kernels
    // Frames are computed in fours: the last group may write three rows more and read three hops more.
    const { features, contextFrames, hopFrames } = spec
    assert(
      contextFrames * featureWidth(features) + (hopFrames + 3) * features.bands <= at.FEATURE_ROWS_MAX * at.BANDS_MAX,
      'too many frames and bands for the kernels',
    )
    assert(spec.hopFrames <= at.FRAMES_MAX, `hopFrames ${spec.hopFrames} over ${at.FRAMES_MAX}`)
    assert(
      layout.historyBytes + layout.hopBytes + 3 * spec.features.hopSamples <= at.NARROW_SAMPLES_MAX,
      'hop too long',
    )
    kernels.install(plan, features.kind === 'cepstra' ? dctTable(features.bands, features.coefficients) : undefined)
    return new VoiceFrontEnd(spec, layout, kernels, tracksMax)
  }

  /** Kernel memory one track costs. */
  get bytesPerTrack(): number {
    return this.#layout.slotBytes
  }

  /** A fresh slot, or -1 when all are taken. */
  open(): number {
    const slot = this.#free.pop()
    if (slot === undefined) return -1
    this.#isOpen[slot] = 1
    this.reset(slot)
    this.#signals.open(slot)
    return slot
  }

  close(slot: number): void {
    assert(this.#isOpen[slot] === 1, 'close of a slot that is not open')
    this.#isOpen[slot] = 0
    this.#free.push(slot)
  }

  /** Forgets all that was heard: a new window begins. The open partial hop is dropped. */
  reset(slot: number): void {
    const { historyBytes, contextAt } = this.#layout
    const at = this.#slotAt(slot)
    this.#kernels.run.fill(at, muLawZero, historyBytes)
    this.#kernels.floats.set(this.#silence, (at + contextAt) / 4)
    this.#fill[slot] = 0
    this.#filledSamples[slot] = 0
    this.#flags.reset(slot)
    this.#signals.cut(slot)
  }

  /**
   * Base64 text `message[start, end)` -> mu-law bytes in scratch, where `push` takes them from. Returns their number,
   * or
   * -1 when the text is not base64 or holds more than 8000 bytes.
   */
  decode(message: Uint8Array, start: number, end: number): number {
    const { at, run } = this.#kernels
    if (end - start > at.TEXT_CHARS_MAX) return -1
    const skew = this.#copyText(message, start, end)
    const count = run.base64Decode(at.TEXT + skew, end - start, at.BYTES)
    return count > at.BYTES_MAX ? -1 : count
  }

  /** Mu-law bytes that are not base64 (recordings): at most 8000, into scratch as `decode` does. */
  take(bytes: Uint8Array): number {
    assert(bytes.length <= this.#kernels.at.BYTES_MAX)
    this.#kernels.bytes.set(bytes, this.#kernels.at.BYTES)
    return bytes.length
  }

  /** Appends `count` of the samples decoded last, from `offset` on; `sink` is called once per hop that closes. */
  push(slot: number, offset: number, count: number, sink: HopSink): void {
    assert(this.#isOpen[slot] === 1, 'push to a slot that is not open')
    const { at, run } = this.#kernels
    let source = at.BYTES + offset
    const end = source + count
    while (source < end) {
      const fill = this.#fill[slot]!
      const taken = Math.min(end - source, this.#layout.hopBytes - fill)
      run.move(this.#slotAt(slot) + this.#layout.historyBytes + fill, source, taken)
      source += taken
      this.#advance(slot, fill + taken, sink)
    }
  }

  /** Appends `count` samples of silence, counted as filled and flagged as gap. */
  fill(slot: number, count: number, sink: HopSink): void {
    assert(this.#isOpen[slot] === 1, 'fill of a slot that is not open')
    let left = count
    while (left > 0) {
      const fill = this.#fill[slot]!
      const taken = Math.min(left, this.#layout.hopBytes - fill)
      this.#kernels.run.fill(this.#slotAt(slot) + this.#layout.historyBytes + fill, muLawZero, taken)
      this.#filledSamples[slot]! += taken
      left -= taken
      this.#advance(slot, fill + taken, sink)
    }
  }

  #slotAt(slot: number): number {
    return this.#kernels.at.SLOTS + slot * this.#layout.slotBytes
  }

  #advance(slot: number, fill: number, sink: HopSink): void {
    this.#fill[slot] = fill
    const { historyBytes, hopBytes } = this.#layout
    if (fill < hopBytes) return
    const hop = this.#hop
    const clipped = this.#kernels.run.fullScalePairs(this.#slotAt(slot) + historyBytes, hopBytes)
    this.#analyse(slot)
    hop.filledSamples = this.#filledSamples[slot]!
    this.#flags.judge(slot, this.#stats, clipped, hop)
    const isVoice = hop.filledSamples === 0 && (hop.flags & hopFlag.music) === 0
    this.#signals.hear(slot, this.#stats, hop.speech, isVoice, hop.signals)
    if (this.#audio.length > 0) this.#appendAudio()
    if (hop.filledSamples > 0) hop.flags |= hopFlag.gap
    this.#fill[slot] = 0
    this.#filledSamples[slot] = 0
    sink.hop(slot, hop)
  }

  /** Called when nothing else needs WIDE any more. */
  #appendAudio(): void {
    const { at, run } = this.#kernels
    const { historyBytes, hopBytes } = this.#layout
    if (this.#spec.audioHz !== narrowHz) run.upsample2(at.NARROW + historyBytes * 4, hopBytes, at.WIDE)
    this.#hop.features.set(this.#features)
    this.#hop.features.set(this.#audio, this.#features.length)
  }

  /** Features of the full hop into FEATURES (context rows first) and STATS; history and context move on. */
  #analyse(slot: number): void {
    const { at, run } = this.#kernels
    const { historyBytes, hopBytes, contextAt, reachSamples } = this.#layout
    const { features, hopFrames, contextFrames } = this.#spec
    const slotAt = this.#slotAt(slot)
    const rowBytes = featureWidth(features) * 4
    const contextBytes = contextFrames * rowBytes
    run.muLawToFloat(slotAt, at.NARROW, historyBytes + hopBytes)
    let samples = at.NARROW + (historyBytes - reachSamples) * 4
    if (features.sampleRateHz !== narrowHz) {
      const reachBytes = reachSamples / 2
      run.upsample2(at.NARROW + (historyBytes - reachBytes) * 4, reachBytes + hopBytes, at.WIDE)
      samples = at.WIDE
    }
    run.move(at.FEATURES, slotAt + contextAt, contextBytes)
    run.analyse(
      samples,
      features.windowSamples,
      features.hopSamples,
      features.fftSize,
      hopFrames,
      features.bands,
      features.floor,
      at.FEATURES + contextBytes,
    )
    if (features.kind === 'cepstra') {
      run.cepstra(at.FEATURES + contextBytes, hopFrames, features.bands, features.coefficients)
    }
    run.move(slotAt + contextAt, at.FEATURES + hopFrames * rowBytes, contextBytes)
    run.move(slotAt, slotAt + hopBytes, historyBytes)
  }

  /**
   * Text into TEXT by words, keeping its place within a word; returns that skew (0..3). A `subarray` would allocate for
   * each message. Words at both ends may carry neighbours' bytes, which are not decoded.
   */
  #copyText(message: Uint8Array, start: number, end: number): number {
    const { at, words, bytes } = this.#kernels
    if (message.buffer !== this.#textBuffer) {
      this.#textBuffer = message.buffer
      this.#textWords = new Int32Array(message.buffer, 0, message.buffer.byteLength >> 2)
    }
    const first = message.byteOffset + start
    const last = message.byteOffset + end
    const skew = first & 3
    const source = this.#textWords
    const wordEnd = Math.min((last + 3) >> 2, source.length)
    let to = at.TEXT >> 2
    let from = first >> 2
    for (; from < wordEnd; from += 1, to += 1) words[to] = source[from]!
    // The last bytes of a buffer whose length is no multiple of four.
    for (let i = Math.max(first, wordEnd << 2); i < last; i += 1) {
      bytes[at.TEXT + skew + i - first] = message[i - message.byteOffset]!
    }
    return skew
  }
}
