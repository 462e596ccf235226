/**
 * Whether a version may be used: its manifest is complete, its file's sha256 is the manifest's, the graph loads, and a
 * row of made-up speech is answered with numbers. The file is read and hashed in slices, so that a large model holds up
 * no socket of the thread that asks; the session runs on it. Any thread.
 */
import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { featureCount } from '../features/call-features.ts'
import { FlashCallModel, loadFlashCallManifest } from './flash-call-model.ts'
import type { HopDetector } from './hop-detector.ts'
import { loadDetector } from './load-detector.ts'
import { invalid, loadManifest, modelLabel, readJson, readVouchedSlowly, type VoiceModel } from './model-file.ts'

/** What lists show of a version without running it. */
export interface VersionFacts {
  readonly kind: 'voice' | 'flash_call'
  readonly label: string
  readonly sha256: string
  readonly parameters: number
  readonly thresholds: Readonly<Record<string, number>>
}

export interface VersionCheck extends VersionFacts {
  readonly bytes: number
  readonly loadMs: number
  /** Of one row, after the first runs. */
  readonly runMs: number
}

const kindOnly = z.looseObject({ name: z.string(), kind: z.enum(['voice', 'voice-window', 'flash_call']) })

/** The manifest alone. @throws OperatingError `model_invalid` */
export function versionFacts(dir: string): VersionFacts {
  const { sha256, parameters, thresholds, ...manifest } = manifestOf(dir)
  const kind = manifest.kind === 'flash_call' ? 'flash_call' : 'voice'
  return { kind, label: modelLabel(manifest), sha256, parameters, thresholds }
}

function manifestOf(dir: string) {
  const path = join(dir, 'manifest.json')
  const { kind, name } = readJson(path, kindOnly)
  const named = basename(dirname(dir))
  if (name !== named) invalid(path, `name "${name}" stands in a folder called "${named}"`)
  return kind === 'flash_call' ? loadFlashCallManifest(dir) : loadManifest(dir)
}

/** A voice model while the thread goes on serving. @throws OperatingError `model_invalid` */
export async function loadVoiceModelSlowly(dir: string): Promise<VoiceModel> {
  const manifest = loadManifest(dir)
  return { manifest, onnx: await readVouchedSlowly(dir, manifest) }
}

/** Manifest and sha256, without running it. @throws OperatingError `model_invalid` */
export async function vouchFor(dir: string): Promise<VersionFacts & { readonly bytes: number }> {
  const { byteLength: bytes } = await readVouchedSlowly(dir, manifestOf(dir))
  return { ...versionFacts(dir), bytes }
}

/** All of it: loads the model and lets it judge one row. @throws OperatingError `model_invalid` */
export async function checkVersion(dir: string, steadyMs: () => number): Promise<VersionCheck> {
  const facts = await vouchFor(dir)
  const beganMs = steadyMs()
  const model = facts.kind === 'voice' ? await loadedVoice(dir) : await loadedFlashCall(dir)
  try {
    const loadedMs = steadyMs()
    await model.judge()
    return { ...facts, loadMs: loadedMs - beganMs, runMs: steadyMs() - loadedMs }
  } finally {
    await model.release()
  }
}

async function loadedVoice(dir: string) {
  const model = await loadVoiceModelSlowly(dir)
  const detector = await loadDetector(model, { batchMax: 1 })
  return { judge: () => judgeMadeUpSpeech(detector, dir), release: () => detector.release() }
}

async function loadedFlashCall(dir: string) {
  const model = await FlashCallModel.load(dir, 1)
  return { judge: () => judgeMadeUpCalls(model, dir), release: () => model.release() }
}

/** One row of half speech over an even spectrum. @throws OperatingError `model_invalid` when it answers no number */
export async function judgeMadeUpSpeech(detector: HopDetector, where: string): Promise<void> {
  const { inputs, row } = detector
  for (let i = 0; i < row.features; i++) inputs.features[i] = -6 + 4 * Math.sin(i * 0.37)
  for (let i = 0; i < row.speech; i++) inputs.speech[i] = i % 2
  inputs.history.fill(0)
  inputs.historyWeight.fill(0)
  await detector.run(1)
  const embedding = detector.embedding.subarray(0, row.embedding)
  const novelty = detector.novelty?.[0] ?? 0
  if (Number.isFinite(detector.logit[0]) && embedding.every(Number.isFinite) && Number.isFinite(novelty)) return
  const got = `logit ${detector.logit[0]}, novelty ${novelty}`
  invalid(where, `answers made-up speech with ${got}, or an embedding that is no number`)
}

/** One row of even features. @throws OperatingError `model_invalid` when it answers no probability */
export async function judgeMadeUpCalls(model: FlashCallModel, where: string): Promise<void> {
  const [score] = await model.scores(new Float32Array(featureCount).fill(0.25), 1)
  if (score !== undefined && score >= 0 && score <= 1) return
  invalid(where, `answers made-up calls with ${score}, which is no probability`)
}
