/**
 * What the pipeline asks of a voice model, whoever made it: fill rows of `inputs`, `run(count)`, read rows of
 * `embedding`, `logit` and, where the model has it, `novelty`. A row is one hop of one track; what a model must
 * remember of a track is in the embeddings of its newest hops, which the pipeline keeps (HopHistory) and shows it
 * again. Pure types.
 *
 *     kind "voice"          VoiceDetector    a graph of ours: the embedding is what the graph says
 *     kind "voice-window"   WindowDetector   any graph over a window: the embedding is the hop's audio or features
 *     both                  SecondStage      (worker/) the second judges what the first finds suspicious
 */

/** Sizes of one row, in floats. */
export interface VoiceRowSizes {
  readonly features: number
  readonly speech: number
  readonly historyHops: number
  readonly embedding: number
}

export interface VoiceInputs {
  readonly features: Float32Array
  readonly speech: Float32Array
  readonly history: Float32Array
  readonly historyWeight: Float32Array
}

export interface HopDetector {
  readonly row: VoiceRowSizes
  readonly batchMax: number
  readonly inputs: VoiceInputs
  /** [batchMax, row.embedding] of the last run. */
  readonly embedding: Float32Array
  /** [batchMax] calibrated natural log-likelihood ratios of the last run; positive = synthetic. */
  readonly logit: Float32Array
  /** [batchMax] how unlike the training's audio the window was; above 1 its ratio says nothing. Absent: not told. */
  readonly novelty?: Float32Array
  /** Judges rows 0..count-1. One run at a time. */
  run(count: number): Promise<void>
  /** A run on whatever stands in the rows, so that its code is compiled; nothing else comes of it. */
  warm(count: number): Promise<void>
  release(): Promise<void>
}
