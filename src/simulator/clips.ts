/**
 * The audio that simulated calls play: recordings cut into 20 ms frames of mu-law, each frame already base64 text, so
 * that playing costs one copy. Comes from a folder of WAV or raw files (with `calls.json` telling what each truly is),
 * or is made up: a buzz with the rhythm of speech, for load where no recording is at hand.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { muLawFromFloat, muLawZero } from '../audio/g711.ts'
import { telephoneChannels } from '../audio/telephone.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import { readAudio } from '../wire/wav.ts'
import type { Random } from './seeded-random.ts'

const frameBytes = 160

export interface Clip {
  /** File name, for people. */
  readonly name: string
  /** `human`, `synthetic`, ... as calls.json says; null when nobody knows. */
  readonly truth: string | null
  /** Who speaks: synthesiser or speaker, language; for people. */
  readonly about: string
  /** What the caller says: base64 text of 160 bytes each. */
  readonly inbound: readonly Uint8Array[]
  /** The other side, where the recording has one. */
  readonly outbound: readonly Uint8Array[] | undefined
}

export interface ClipSource {
  readonly name: string
  readonly truth: string | null
  readonly about: string
  /** 8 kHz mu-law. */
  readonly inbound: Uint8Array
  readonly outbound?: Uint8Array | undefined
}

export function clipOf({ name, truth, about, inbound, outbound }: ClipSource): Clip {
  return { name, truth, about, inbound: framesOf(inbound), outbound: outbound && framesOf(outbound) }
}

/** Frames of 20 ms; the last one is filled up with silence. */
function framesOf(mulaw: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = []
  for (let at = 0; at < mulaw.length; at += frameBytes) {
    const frame = Buffer.alloc(frameBytes, muLawZero)
    frame.set(mulaw.subarray(at, at + frameBytes))
    frames.push(Buffer.from(frame.toString('base64'), 'latin1'))
  }
  return frames
}

/** One entry of calls.json, before anything of it is believed. */
interface ListRow {
  readonly file?: unknown
  readonly truth?: unknown
  readonly engine?: unknown
  readonly language?: unknown
}

interface Listed {
  readonly file: string
  readonly truth: string | null
  readonly about: string
}

/** Every recording of a folder, in the order of its list. @throws OperatingError when there is none */
export function loadClips(folder: string): Clip[] {
  const list = join(folder, 'calls.json')
  const listed = existsSync(list) ? readList(list) : filesOf(folder)
  if (listed.length === 0) throw new OperatingError('audio_unreadable', `no recordings in ${folder}`)
  return listed.map(({ file, truth, about }) => {
    const path = join(folder, file)
    const [inbound, outbound] = telephoneChannels(readAudio(path, readFileSync(path)))
    return clipOf({ name: basename(file), truth, about, inbound: inbound!, outbound })
  })
}

function filesOf(folder: string): Listed[] {
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch (thrown) {
    throw new OperatingError('audio_unreadable', `cannot read ${folder}: ${messageOf(thrown)}`)
  }
  const audio = names.filter((name) => /\.(wav|ul|ulaw|mulaw|raw)$/i.test(name))
  return audio.sort().map((file) => ({ file, truth: null, about: '' }))
}

function readList(path: string): Listed[] {
  const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'))
  const rows = Array.isArray(parsed) ? parsed : ((parsed as { calls?: unknown }).calls ?? [])
  if (!Array.isArray(rows)) throw new OperatingError('audio_unreadable', `${path} holds no list of calls`)
  return rows.map((row: ListRow) => ({
    file: String(row.file),
    truth: typeof row.truth === 'string' ? row.truth : null,
    about: [row.engine, row.language].filter((part) => typeof part === 'string').join(', '),
  }))
}

/** The same clips with their truths taking turns, so that a few in a row show each. */
export function byTurns(clips: readonly Clip[]): Clip[] {
  const byTruth = new Map<string | null, Clip[]>()
  for (const clip of clips) byTruth.set(clip.truth, [...(byTruth.get(clip.truth) ?? []), clip])
  const queues = [...byTruth.values()]
  return clips.flatMap((_, turn) => queues.flatMap((queue) => queue.slice(turn, turn + 1)))
}

/** Made-up audio with the rhythm of speech: syllables of a gliding buzz with pauses between phrases. Not a voice. */
export function speechLikeClip(random: Random, seconds: number): Clip {
  const samples = new Float32Array(seconds * 8000)
  let at = 0
  while (at < samples.length) {
    const syllables = 4 + Math.floor(random() * 8)
    for (let syllable = 0; syllable < syllables; syllable++) at = addSyllable(samples, at, random)
    at += Math.floor((0.2 + random() * 0.5) * 8000)
  }
  return clipOf({ name: 'speech-like noise', truth: null, about: '', inbound: muLawFromFloat(samples) })
}

function addSyllable(samples: Float32Array, start: number, random: Random): number {
  const length = Math.floor((0.1 + random() * 0.15) * 8000)
  const pitchHz = 90 + random() * 120
  const glide = 0.9 + random() * 0.2
  const formantHz = 400 + random() * 1800
  let phase = 0
  for (let at = 0; at < length && start + at < samples.length; at++) {
    const share = at / length
    phase += (pitchHz * (1 + (glide - 1) * share)) / 8000
    // A train of damped ringings, one a pitch period: the crudest voice.
    const sinceS = ((phase % 1) * 8000) / pitchHz / 8000
    const ringing = Math.exp(-sinceS * 300) * Math.sin(2 * Math.PI * formantHz * sinceS)
    samples[start + at] = 0.5 * Math.sin(Math.PI * share) * ringing + (random() - 0.5) * 0.01
  }
  return start + length
}
