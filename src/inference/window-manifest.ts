/**
 * The manifest of a model somebody else made (kind "voice-window"): an ONNX file that judges a window of audio at
 * once, from the raw waveform or from band features of ours. It says what goes in and what comes out; nothing about the
 * file itself has to change. Pure.
 *
 *     {"name": "voice", "version": "aasist-l", "kind": "voice-window", "file": "model.onnx", "sha256": "...",
 *      "parameters": 85306, "sampleRateHz": 16000,
 *      "input": {"name": "wav", "kind": "waveform", "samples": 64600, "channelAxis": false, "scale": 1},
 *      "short": "repeat",
 *      "output": {"name": "logits", "form": "logit", "columns": ["synthetic", "human"]},
 *      "hop": {"ms": 1000}, "batchMax": 1, "calibration": {"scale": 0.4, "offset": -1.2},
 *      "thresholds": {"synthetic": 0.9, "human": 0.1}, "training": {}, "metrics": {}, "limits": []}
 */
import { z } from 'zod'
import * as keys from './manifest-keys.ts'

/** The front end makes hops of at most so many frames; a longer hop is made of several. */
const pipelineHopMsMax = 600
const windowMsMax = 10_000
const frameMsOfHops = 10
/** Hops are whole multiples of it, so that what a hop is made of is never too short to be judged. */
const hopStepMs = 100

const input = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('waveform'),
    name: z.string().min(1),
    /** Of the window, at `sampleRateHz`. */
    samples: keys.size,
    /** Dimensions [batch, 1, samples] instead of [batch, samples]. */
    channelAxis: z.boolean(),
    /** Full scale in the model's eyes: 1, or 32768. */
    scale: z.number().positive(),
  }),
  z.strictObject({
    kind: z.literal('features'),
    name: z.string().min(1),
    definition: keys.bandFeatures,
    /** Of the window. */
    frames: keys.size,
    layout: z.enum(['frames-bands', 'bands-frames']),
    /** Dimensions [batch, 1, ., .] instead of [batch, ., .]. */
    channelAxis: z.boolean(),
  }),
])

const column = z.enum(['human', 'synthetic'])

export const windowManifestSchema = z.strictObject({
  name: keys.folder,
  version: keys.folder,
  kind: z.literal('voice-window'),
  file: keys.folder,
  sha256: keys.sha256,
  parameters: keys.size,
  sampleRateHz: keys.sampleRateHz,
  input,
  /** What fills a window that has not been heard in full: what there is over and over, or zeros. */
  short: z.enum(['repeat', 'zeros-before', 'zeros-after']),
  output: z.strictObject({
    name: z.string().min(1),
    form: z.enum(['logit', 'probability']),
    /** What a high value of each column speaks for: one column, or one of each. */
    columns: z.array(column).min(1).max(2),
  }),
  hop: z.strictObject({ ms: keys.size.max(windowMsMax).multipleOf(hopStepMs) }),
  /** Windows in one run; 1 for files exported with a fixed batch. */
  batchMax: keys.size.max(64),
  /** Log-likelihood ratio = scale x what the output says + offset. */
  calibration: z.looseObject({ scale: z.number().positive(), offset: z.number() }),
  thresholds: keys.decisionThresholds,
  training: keys.story,
  metrics: keys.story,
  distributions: keys.distributionCounts.optional(),
  limits: z.unknown(),
})

export type WindowManifest = z.infer<typeof windowManifestSchema>

/** Milliseconds of audio the model judges at once. */
export function windowMsOf({ input: it, sampleRateHz }: WindowManifest): number {
  return ((it.kind === 'waveform' ? it.samples : it.frames * it.definition.hopSamples) * 1000) / sampleRateHz
}

/** The pipeline's hop: the longest that the front end can make and that the model's hop is made of. */
export function pipelineHopMsOf({ hop }: WindowManifest): number {
  for (let parts = 1; ; parts += 1) {
    const ms = hop.ms / parts
    if (ms <= pipelineHopMsMax && ms % frameMsOfHops === 0) return ms
  }
}

export function windowDisagreements(manifest: WindowManifest): string[] {
  const { input: it, output, thresholds, sampleRateHz, hop } = manifest
  const out = columnDisagreements(output.columns)
  const windowMs = windowMsOf(manifest)
  if (windowMs < hop.ms || windowMs > windowMsMax) {
    out.push(`input is a window of ${windowMs} ms; it must last at least hop.ms ${hop.ms} and at most ${windowMsMax}`)
  }
  if (it.kind === 'features') {
    const frameMs = (it.definition.hopSamples * 1000) / sampleRateHz
    if (frameMs !== frameMsOfHops) out.push(`input.definition.hopSamples are ${frameMs} ms, must be ${frameMsOfHops}`)
    out.push(...keys.featureDisagreements(it.definition, sampleRateHz, 'input.definition'))
  }
  return [...out, ...keys.thresholdDisagreements(thresholds)]
}

function columnDisagreements(columns: WindowManifest['output']['columns']): string[] {
  if (new Set(columns).size === columns.length) return []
  return [`output.columns must not name "${columns[0]}" twice`]
}
