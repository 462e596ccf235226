/**
 * Everything that the main thread and a voice worker say to one another, besides the ring. Both sides import this
 * file and nothing else of one another. Life of a worker: it is started with a `WorkerStart`, answers `ready` (or
 * `refused`, when the model does not load) and from then on reads its ring every tick and sends `judged` when there
 * is something to tell. A `drain` is answered by `drained` once all that stood in the ring before it is judged and
 * sent. `stop` ends it. A message that is not in these unions is a bug and kills who receives it.
 */
import type { VoiceModel } from '../inference/model-file.ts'
import type { ScoredHop } from '../inference/scored-hop.ts'
import { readSignals, signalsStride, writeSignals } from './signal-row.ts'
import type { SecondStageStart } from './staged-detector.ts'

/** `workerData` of a voice worker. */
export interface WorkerStart {
  readonly model: VoiceModel
  /** Absent: the model stands alone. */
  readonly secondStage?: SecondStageStart | null
  /** Memory of the ring that this worker reads; the main thread writes. */
  readonly ring: SharedArrayBuffer
  readonly tracksMax: number
  readonly batchMax: number
  readonly tickMs: number
  readonly gapFillMsMax: number
  /** Accept `fault` messages: for tests of what happens then. */
  readonly faults: boolean
}

export type ToWorker =
  /** `records`: what was written to the ring so far. */
  | { readonly kind: 'drain'; readonly id: number; readonly records: number }
  | { readonly kind: 'stop' }
  | { readonly kind: 'fault'; readonly fault: WorkerFault }

export type WorkerFault = 'throw' | 'hang'

export type FromWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'refused'; readonly detail: string }
  | Judged
  | { readonly kind: 'drained'; readonly id: number }

/** What a worker did since its last such message. */
export interface Judged {
  readonly kind: 'judged'
  /** `hops` rows as `writeHop` leaves them; the buffer is transferred. */
  readonly rows: Float64Array
  readonly hops: number
  /** Tracks whose close was read: no later message has hops of them. */
  readonly closed: readonly number[]
  /** Increments, in the order of `pipelineCounterNames`. */
  readonly counts: readonly number[]
  readonly ticks: number
  /** Time spent reading, computing and sending. */
  readonly busyMs: number
  /** The longest single tick. */
  readonly tickMsMax: number
}

/** Floats of one hop in `Judged.rows`. */
const signalsAt = 14
export const hopStride = signalsAt + signalsStride

/**
 * Row `n` of `rows`: trackId, windowStartMs, hopStartMs, hopEndMs, hopSpeechMs, windowSpeechMs, llr (NaN: not scored),
 * flags, filledMs, lostMs, duplicates, enteredMs, lowFeatures, highFeatures (NaN: no speech), then signal-row.ts.
 */
export function writeHop(rows: Float64Array, n: number, hop: ScoredHop): void {
  const at = n * hopStride
  rows[at] = hop.trackId
  rows[at + 1] = hop.windowStartMs
  rows[at + 2] = hop.hopStartMs
  rows[at + 3] = hop.hopEndMs
  rows[at + 4] = hop.hopSpeechMs
  rows[at + 5] = hop.windowSpeechMs
  rows[at + 6] = hop.llr
  rows[at + 7] = hop.flags
  rows[at + 8] = hop.filledMs
  rows[at + 9] = hop.lostMs
  rows[at + 10] = hop.duplicates
  rows[at + 11] = hop.enteredMs
  rows[at + 12] = hop.lowFeatures ?? Number.NaN
  rows[at + 13] = hop.highFeatures ?? Number.NaN
  writeSignals(rows, at + signalsAt, hop.signals)
}

export function readHop(rows: Float64Array, n: number): ScoredHop {
  const at = n * hopStride
  return {
    trackId: rows[at]!,
    windowStartMs: rows[at + 1]!,
    hopStartMs: rows[at + 2]!,
    hopEndMs: rows[at + 3]!,
    hopSpeechMs: rows[at + 4]!,
    windowSpeechMs: rows[at + 5]!,
    llr: rows[at + 6]!,
    flags: rows[at + 7]!,
    filledMs: rows[at + 8]!,
    lostMs: rows[at + 9]!,
    duplicates: rows[at + 10]!,
    enteredMs: rows[at + 11]!,
    lowFeatures: rows[at + 12]!,
    highFeatures: rows[at + 13]!,
    signals: readSignals(rows, at + signalsAt),
  }
}
