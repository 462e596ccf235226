/**
 * Models on disk: `models/registry.json` says which version of a name is active, each version has its own folder
 * with the ONNX file and a manifest. Nothing is used before its manifest is complete and the file's sha256 is the
 * manifest's; otherwise `model_invalid` names file, key and what was got. Any thread; one that serves meanwhile takes
 * `readVouchedSlowly`.
 *
 *     models/registry.json            {"voice": {"active": "1", "previous": null, "candidate": null}}
 *     models/voice/1/manifest.json    {"name": "voice", "version": "1", "kind": "voice", "file": "model.onnx", ...}
 *     models/voice/1/model.onnx
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { z } from 'zod'
import { messageOf, OperatingError } from '../core/errors.ts'
import { projectRoot } from '../core/project.ts'
import * as keys from './manifest-keys.ts'
import { type WindowManifest, windowDisagreements, windowManifestSchema } from './window-manifest.ts'

const { folder, size, story } = keys

const registrySchema = z.record(
  folder,
  z.strictObject({ active: folder, previous: folder.nullable(), candidate: folder.nullable().default(null) }),
)

const bytesAtOnce = 1_048_576

const streamManifestSchema = z.strictObject({
  name: folder,
  version: folder,
  kind: z.literal('voice'),
  file: folder,
  sha256: keys.sha256,
  parameters: size,
  sampleRateHz: keys.sampleRateHz,
  features: keys.bandFeatures,
  hop: z.strictObject({ ms: size.max(5000), frames: size.max(500), contextFrames: z.number().int().min(0).max(500) }),
  window: z.strictObject({ hops: size.min(2).max(64) }),
  embedding: z.strictObject({ size: size.max(1024) }),
  thresholds: keys.decisionThresholds,
  abstain: keys.abstentions.optional(),
  calibration: story,
  training: story,
  metrics: story,
  distributions: keys.distributionCounts.optional(),
  limits: z.unknown(),
})

const voiceManifestSchema = z.discriminatedUnion('kind', [streamManifestSchema, windowManifestSchema])

export type Registry = z.infer<typeof registrySchema>
/** A model of ours: each hop is encoded once, its embedding serves the windows to come. */
export type StreamManifest = z.infer<typeof streamManifestSchema>
export type VoiceManifest = StreamManifest | WindowManifest

/** A manifest and the bytes it vouches for. */
export interface VoiceModel {
  readonly manifest: VoiceManifest
  readonly onnx: Uint8Array
}

/** "voice/1": how verdicts and tables name a model. */
export function modelLabel(manifest: { readonly name: string; readonly version: string }): string {
  return `${manifest.name}/${manifest.version}`
}

/** @throws OperatingError `model_invalid` */
export function readRegistry(modelsDir = join(projectRoot, 'models')): Registry {
  return readJson(join(modelsDir, 'registry.json'), registrySchema)
}

/** Folder of the active version of `name`. */
export function activeModelDir(name: string, modelsDir = join(projectRoot, 'models')): string {
  const entry = readRegistry(modelsDir)[name]
  if (entry === undefined) invalid(join(modelsDir, 'registry.json'), `names no model "${name}"`)
  return join(modelsDir, name, entry.active)
}

/** Reads and checks `manifest.json` of a version's folder; the ONNX file is not read. */
export function loadManifest(dir: string): VoiceManifest {
  const path = join(dir, 'manifest.json')
  const manifest = readJson(path, voiceManifestSchema)
  for (const problem of disagreements(manifest, dir)) invalid(path, problem)
  return manifest
}

/** Manifest and model of a version's folder, the model's sha256 checked. */
export function loadVoiceModel(dir: string): VoiceModel {
  const manifest = loadManifest(dir)
  return { manifest, onnx: readVouched(dir, manifest) }
}

/** The ONNX file of a manifest, its sha256 checked. */
function readVouched(dir: string, manifest: { readonly file: string; readonly sha256: string }): Uint8Array {
  const path = join(dir, manifest.file)
  const onnx = readBytes(path)
  const sha256 = createHash('sha256').update(onnx).digest('hex')
  if (sha256 !== manifest.sha256) invalid(path, `sha256 must be ${manifest.sha256} as its manifest says, got ${sha256}`)
  return onnx
}

/**
 * The ONNX file, its sha256 checked, a slice a turn of the event loop. In shared memory: each worker that is started
 * with it would else get a copy, made at once on the thread that starts it (350 MB: 0.2 s).
 * @throws OperatingError `model_invalid`
 */
export async function readVouchedSlowly(dir: string, manifest: { file: string; sha256: string }): Promise<Uint8Array> {
  const path = join(dir, manifest.file)
  const file = await readFile(path).catch((thrown: unknown) => invalid(path, `cannot be read: ${messageOf(thrown)}`))
  const onnx = new Uint8Array(new SharedArrayBuffer(file.length))
  const hash = createHash('sha256')
  for (let at = 0; at < file.length; at += bytesAtOnce) {
    const slice = file.subarray(at, at + bytesAtOnce)
    hash.update(slice)
    onnx.set(slice, at)
    await nextTurn()
  }
  const sha256 = hash.digest('hex')
  if (sha256 !== manifest.sha256) invalid(path, `sha256 must be ${manifest.sha256} as its manifest says, got ${sha256}`)
  return onnx
}

/** Where keys of one manifest contradict one another or their folder. */
function disagreements(manifest: VoiceManifest, dir: string): string[] {
  const { name, version } = manifest
  const inner = manifest.kind === 'voice' ? streamDisagreements(manifest) : windowDisagreements(manifest)
  if (version === basename(dir)) return inner
  return [`version "${version}" of ${name} stands in a folder called "${basename(dir)}"`, ...inner]
}

function streamDisagreements({ features, hop, sampleRateHz, thresholds }: StreamManifest): string[] {
  const out: string[] = []
  const frameMs = (features.hopSamples * 1000) / sampleRateHz
  if (hop.ms !== hop.frames * frameMs) {
    out.push(`hop.ms is ${hop.ms}, but ${hop.frames} frames of ${frameMs} ms are ${hop.frames * frameMs}`)
  }
  out.push(...keys.featureDisagreements(features, sampleRateHz, 'features'), ...keys.thresholdDisagreements(thresholds))
  return out
}

export function readJson<T>(path: string, schema: z.ZodType<T>): T {
  let value: unknown
  try {
    value = JSON.parse(readBytes(path).toString('utf8'))
  } catch (thrown) {
    if (thrown instanceof OperatingError) throw thrown
    invalid(path, `is not JSON: ${messageOf(thrown)}`)
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  invalid(path, parsed.error.issues.map((issue) => `${issue.path.join('.') || '(top)'}: ${issue.message}`).join('; '))
}

export function readBytes(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (thrown) {
    invalid(path, `cannot be read: ${messageOf(thrown)}`)
  }
}

export function invalid(path: string, problem: string): never {
  throw new OperatingError('model_invalid', `${path}: ${problem}`)
}
