/**
 * Features for training, made by the very code that makes them live: `VoiceFrontEnd` over clips, each a fresh track.
 *
 *   node dist/src/training/dump-voice-features.js --pack pack.ul --index pack.json --out DIR [--manifest manifest.json]
 *
 *   pack.ul        8 kHz mu-law bytes, clip after clip
 *   pack.json      {"clips":[{"id":"a17","offset":0,"bytes":24000}, ...]}
 *   DIR/features.f32   float32 little-endian [frames, bands or coefficients]; a clip's last partial hop is dropped
 *   DIR/speech.u8      one byte a frame: 1 speech, 0 not
 *   DIR/flags.u16      uint16 little-endian, one a hop (bits of `hopFlag`)
 *   DIR/features.json  {"spec":{...},"clips":[{"id":"a17","frameOffset":0,"frames":250}, ...]}
 *
 * Context rows are not written: they are the frames before. Without a manifest the shipped definition is used.
 */
import { strict as assert } from 'node:assert'
import { closeSync, mkdirSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { type FeatureDefinition, type Hop, type HopSpec, speechBands } from '../features/hop.ts'
import { type HopSink, VoiceFrontEnd } from '../features/voice-front-end.ts'

/** The definition the shipped voice model uses; a manifest overrides it. */
export const defaultHopSpec: HopSpec = {
  features: speechBands,
  hopFrames: 50,
  contextFrames: 0,
}

interface PackIndex {
  readonly clips: readonly { readonly id: string; readonly offset: number; readonly bytes: number }[]
}

/** The parts of a model manifest that matter here. */
interface FeatureManifest {
  readonly sampleRateHz: 8000 | 16000
  readonly features: FeatureDefinition
  readonly hop: { readonly frames: number }
}

export function hopSpecOf(manifest: FeatureManifest): HopSpec {
  const { sampleRateHz, features, hop } = manifest
  return { features: { ...features, sampleRateHz }, hopFrames: hop.frames, contextFrames: 0 }
}

/**
 * Bytes taken into the front end at once, and the media messages that stand for them: the result does not depend on
 * it.
 */
const chunkBytes = 8000

/** Clips between two lines of progress. */
const progressClips = 1000

/** Writes hops to the three files; counts frames. */
class DumpFiles implements HopSink {
  frames = 0
  readonly #features: number
  readonly #speech: number
  readonly #flags: number

  constructor(directory: string) {
    mkdirSync(directory, { recursive: true })
    this.#features = openSync(`${directory}/features.f32`, 'w')
    this.#speech = openSync(`${directory}/speech.u8`, 'w')
    this.#flags = openSync(`${directory}/flags.u16`, 'w')
  }

  hop(_slot: number, hop: Hop): void {
    writeSync(this.#features, hop.features)
    writeSync(this.#speech, Uint8Array.from(hop.speech))
    writeSync(this.#flags, Uint16Array.of(hop.flags))
    this.frames += hop.speech.length
  }

  close(): void {
    for (const file of [this.#features, this.#speech, this.#flags]) closeSync(file)
  }
}

export interface DumpOptions {
  readonly pack: string
  readonly index: string
  readonly out: string
  readonly spec: HopSpec
  progress(line: string): void
}

/** Runs the dump; returns the number of frames written. */
export function dumpVoiceFeatures(options: DumpOptions): number {
  assert.equal(options.spec.contextFrames, 0)
  const { clips } = JSON.parse(readFileSync(options.index, 'utf8')) as PackIndex
  const frontEnd = VoiceFrontEnd.create(options.spec, 1)
  const files = new DumpFiles(options.out)
  const pack = openSync(options.pack, 'r')
  const chunk = new Uint8Array(chunkBytes)
  const listed: { id: string; frameOffset: number; frames: number }[] = []
  for (const [number, clip] of clips.entries()) {
    const frameOffset = files.frames
    const slot = frontEnd.open()
    for (let done = 0; done < clip.bytes; done += chunkBytes) {
      const wanted = Math.min(chunkBytes, clip.bytes - done)
      const got = readSync(pack, chunk, 0, wanted, clip.offset + done)
      assert.equal(got, wanted, `${options.pack} ends inside clip ${clip.id}`)
      frontEnd.push(slot, 0, frontEnd.take(chunk.subarray(0, got)), files)
    }
    frontEnd.close(slot)
    listed.push({ id: clip.id, frameOffset, frames: files.frames - frameOffset })
    if ((number + 1) % progressClips === 0)
      options.progress(`${number + 1} of ${clips.length} clips, ${files.frames} frames`)
  }
  closeSync(pack)
  files.close()
  writeFileSync(`${options.out}/features.json`, JSON.stringify({ spec: options.spec, clips: listed }))
  options.progress(`${clips.length} clips, ${files.frames} frames`)
  return files.frames
}

function main(): void {
  const { values } = parseArgs({
    options: {
      pack: { type: 'string' },
      index: { type: 'string' },
      out: { type: 'string' },
      manifest: { type: 'string' },
    },
  })
  const { pack, index, out, manifest } = values
  if (!pack || !index || !out) {
    process.stderr.write(
      'usage: dump-voice-features --pack pack.ul --index pack.json --out DIR [--manifest manifest.json]\n',
    )
    process.exitCode = 2
    return
  }
  const spec = manifest ? hopSpecOf(JSON.parse(readFileSync(manifest, 'utf8')) as FeatureManifest) : defaultHopSpec
  dumpVoiceFeatures({ pack, index, out, spec, progress: (line) => process.stderr.write(`${line}\n`) })
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) main()
