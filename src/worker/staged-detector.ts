/**
 * The detector that a configuration asks for: one model, or two in a cascade, with the hops they want of the front end.
 * Voice worker, and whoever scores recordings.
 */
import { join } from 'node:path'
import type { VoiceConfig } from '../config/schema.ts'
import { type Clock, systemClock } from '../core/clock.ts'
import { OperatingError } from '../core/errors.ts'
import { projectRoot } from '../core/project.ts'
import { audioSamplesOf, type HopSpec } from '../features/hop.ts'
import type { HopDetector } from '../inference/hop-detector.ts'
import { hopMsOf, hopSpecOf, loadDetector } from '../inference/load-detector.ts'
import { judgeMadeUpSpeech, loadVoiceModelSlowly } from '../inference/model-check.ts'
import { modelLabel, type VoiceManifest, type VoiceModel } from '../inference/model-file.ts'
import { WindowInput } from '../inference/window-input.ts'
import type { WindowManifest } from '../inference/window-manifest.ts'
import type { WindowModel } from '../inference/window-session.ts'
import { JudgeThread } from './judge-thread.ts'
import { SecondStage, type SecondStageOptions } from './second-stage.ts'

/** The second stage as it goes to a worker. */
export interface SecondStageStart {
  readonly model: WindowModel
  /** First's score from which a hop is suspicious. */
  readonly scoreMin: number
  readonly cpuShareMax: number
}

export interface StagedDetector {
  readonly detector: HopDetector
  readonly spec: HopSpec
  readonly hopMs: number
}

/**
 * The configured second stage, its file checked while the thread goes on serving. Whether a first can feed it is seen
 * when both are opened. @throws OperatingError `model_invalid`
 */
export async function loadSecondStage(
  { secondStage }: Pick<VoiceConfig, 'secondStage'>,
  modelsDir = join(projectRoot, 'models'),
): Promise<SecondStageStart | null> {
  if (secondStage === null) return null
  const { manifest, onnx } = await loadVoiceModelSlowly(join(modelsDir, secondStage.model))
  if (manifest.kind !== 'voice-window') {
    throw new OperatingError('model_invalid', `detection.voice.secondStage: ${secondStage.model} is not a voice-window`)
  }
  return { model: { manifest, onnx }, scoreMin: secondStage.scoreMin, cpuShareMax: secondStage.cpuShareMax }
}

/** "voice/1 + voice/aasist" */
export function stagesLabel(first: VoiceManifest, second: SecondStageStart | null): string {
  return second === null ? modelLabel(first) : `${modelLabel(first)} + ${modelLabel(second.model.manifest)}`
}

/** The hops of the first with what the second needs besides. @throws OperatingError `model_invalid` */
function cascadeSpec(first: VoiceManifest, second: WindowManifest): HopSpec {
  const spec = hopSpecOf(first)
  const label = `second stage ${modelLabel(second)}`
  const hopMs = hopMsOf(first)
  if (first.kind !== 'voice') throw new OperatingError('model_invalid', `${label}: the first is itself a voice-window`)
  if (second.hop.ms % hopMs !== 0) {
    throw new OperatingError('model_invalid', `${label}: hop.ms ${second.hop.ms} is no multiple of ${hopMs}`)
  }
  if (second.input.kind === 'waveform') return { ...spec, audioHz: second.sampleRateHz }
  const wanted = JSON.stringify(sorted({ ...second.input.definition, sampleRateHz: second.sampleRateHz }))
  if (wanted === JSON.stringify(sorted(spec.features))) return spec
  throw new OperatingError('model_invalid', `${label}: takes other features than ${modelLabel(first)}, or the waveform`)
}

function sorted(keys: object): object {
  return Object.fromEntries(Object.entries(keys).sort(([a], [b]) => (a < b ? -1 : 1)))
}

export interface StagedOptions {
  readonly model: VoiceModel
  readonly secondStage: SecondStageStart | null
  readonly batchMax: number
  readonly counters: SecondStageOptions['counters']
  /** Wait for the second stage and give it all CPU: recordings are not live. */
  readonly waits: boolean
  readonly clock?: Clock
}

/** Loaded, and it answers numbers. */
async function soundDetector(model: VoiceModel, batchMax: number): Promise<HopDetector> {
  const detector = await loadDetector(model, { batchMax })
  await judgeMadeUpSpeech(detector, modelLabel(model.manifest))
  return detector
}

/** @throws OperatingError `model_invalid` */
export async function openDetector(options: StagedOptions): Promise<StagedDetector> {
  const { model, secondStage, batchMax, counters, waits, clock = systemClock } = options
  const { manifest } = model
  const hopMs = hopMsOf(manifest)
  if (secondStage === null) {
    return { detector: await soundDetector(model, batchMax), spec: hopSpecOf(manifest), hopMs }
  }
  const { scoreMin, cpuShareMax } = secondStage
  const second = secondStage.model.manifest
  const spec = cascadeSpec(manifest, second)
  const [first, judge] = await Promise.all([
    soundDetector(model, batchMax),
    JudgeThread.start({ model: secondStage.model, hopMs }),
  ])
  const detector = new SecondStage({
    first,
    judge,
    window: new WindowInput(second, hopMs),
    every: second.hop.ms / hopMs,
    audioSamples: audioSamplesOf(spec),
    suspectLlr: Math.log(scoreMin / (1 - scoreMin)),
    cpuShareMax: waits ? null : cpuShareMax,
    clock,
    counters,
  })
  return { detector, spec, hopMs }
}
