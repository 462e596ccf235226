/**
 * Models on disk: `models/registry.json` says which version of a name is active, each version has its own folder
 * with the ONNX file and a manifest. Nothing is used before its manifest is complete and the file's sha256 is the
 * manifest's; otherwise `model_invalid` names file, key and what was got. Main thread, at start; workers get the
 * bytes.
 *
 *     models/registry.json            {"voice": {"active": "1", "previous": null, "candidate": null}}
 *     models/voice/1/manifest.json    {"name": "voice", "version": "1", "kind": "voice", "file": "model.onnx", ...}
 *     models/voice/1/model.onnx
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { messageOf, OperatingError } from '../core/errors.ts'
import { projectRoot } from '../core/project.ts'

const size = z.number().int().min(1)
const share = z.number().min(0).max(1)
export const folder = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'a plain folder name')
/** What people want to know of a model; the code reads none of it, so any keys are welcome. */
export const story = z.looseObject({})

const registrySchema = z.record(
  folder,
  z.strictObject({ active: folder, previous: folder.nullable(), candidate: folder.nullable().default(null) }),
)

/** How scores and features were distributed when the version was made: counts by name, in the bins of drift-watch. */
export const referenceCounts = z.record(z.string(), z.array(size.or(z.literal(0))).max(256))

/** Keys that both kinds of features have. */
const bandKeys = {
  scale: z.enum(['linear', 'mel']),
  windowSamples: size.max(512),
  hopSamples: size.max(512),
  fftSize: z.union([z.literal(256), z.literal(512)]),
  bands: size.max(256),
  lowHz: z.number().min(0),
  highHz: z.number().max(8000),
  floor: z.number().positive(),
}

const voiceManifestSchema = z.strictObject({
  name: folder,
  version: folder,
  kind: z.literal('voice'),
  file: folder,
  sha256: z.string().regex(/^[0-9a-f]{64}$/, '64 lower-case hexadecimal digits'),
  parameters: size,
  sampleRateHz: z.union([z.literal(8000), z.literal(16000)]),
  features: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('log-bands'), ...bandKeys }),
    z.strictObject({ kind: z.literal('cepstra'), coefficients: size, ...bandKeys }),
  ]),
  hop: z.strictObject({ ms: size.max(5000), frames: size.max(500), contextFrames: z.number().int().min(0).max(500) }),
  window: z.strictObject({ hops: size.min(2).max(64) }),
  embedding: z.strictObject({ size: size.max(1024) }),
  thresholds: z.strictObject({ synthetic: share, human: share }),
  calibration: story,
  training: story,
  metrics: story,
  reference: referenceCounts.optional(),
  limits: z.unknown(),
})

export type Registry = z.infer<typeof registrySchema>
export type VoiceManifest = z.infer<typeof voiceManifestSchema>

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
export function readVouched(dir: string, manifest: { readonly file: string; readonly sha256: string }): Uint8Array {
  const path = join(dir, manifest.file)
  const onnx = readBytes(path)
  const sha256 = createHash('sha256').update(onnx).digest('hex')
  if (sha256 !== manifest.sha256) invalid(path, `sha256 must be ${manifest.sha256} as its manifest says, got ${sha256}`)
  return onnx
}

/** Where keys of one manifest contradict one another or their folder. */
function disagreements(
  { name, version, features, hop, sampleRateHz, thresholds }: VoiceManifest,
  dir: string,
): string[] {
  const out: string[] = []
  const frameMs = (features.hopSamples * 1000) / sampleRateHz
  if (version !== basename(dir))
    out.push(`version "${version}" of ${name} stands in a folder called "${basename(dir)}"`)
  if (hop.ms !== hop.frames * frameMs) {
    out.push(`hop.ms is ${hop.ms}, but ${hop.frames} frames of ${frameMs} ms are ${hop.frames * frameMs}`)
  }
  if (features.windowSamples > features.fftSize) {
    out.push(`features.windowSamples ${features.windowSamples} is larger than features.fftSize ${features.fftSize}`)
  }
  if (features.highHz <= features.lowHz || features.highHz > sampleRateHz / 2) {
    out.push(`features.highHz ${features.highHz} must lie above lowHz ${features.lowHz} and within ${sampleRateHz / 2}`)
  }
  if (features.kind === 'cepstra' && features.coefficients > features.bands) {
    out.push(`features.coefficients ${features.coefficients} is larger than features.bands ${features.bands}`)
  }
  if (thresholds.synthetic <= thresholds.human) {
    out.push(`thresholds.synthetic ${thresholds.synthetic} must lie above thresholds.human ${thresholds.human}`)
  }
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
