/**
 * Writes one track to its file, beside the way of the audio and never in it: bytes are gathered to a second, sealed and
 * appended by the thread pool, in order. A disk that is too slow or fails ends this recording, nothing else. Main
 * thread.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { type RecordingFacts, RecordingSeal } from './recording-file.ts'
import type { RecordingKeys } from './recording-keys.ts'

/** A second of mu-law. */
const chunkBytes = 8000
/** Bytes of one track that may wait for the disk: a minute. */
const waitingBytesMax = 480_000

export type RecorderEnd = 'ended' | 'too_long' | 'full' | 'slow' | 'failed' | 'erased'

export interface RecorderOptions {
  readonly keys: RecordingKeys
  readonly facts: RecordingFacts
  readonly bytesMax: number
  /** Asks the budget for bytes on disk; false: it is used up. */
  readonly take: (bytes: number) => boolean
  /** Told once, when nothing more will be written and the file is closed. */
  readonly over: (how: RecorderEnd) => void
}

/** `inbound-1767225600000`: also the name of its file. */
export function recordingId(facts: Pick<RecordingFacts, 'track' | 'startedAtMs'>): string {
  return `${facts.track}-${facts.startedAtMs}`
}

export class TrackRecorder {
  readonly facts: RecordingFacts
  readonly #options: RecorderOptions
  #gathered: Uint8Array[] = []
  #gatheredBytes = 0
  #waitingBytes = 0
  #heardBytes = 0
  #end: RecorderEnd | null = null
  /** Something could not be written, so nothing after it may be. */
  #cut: 'full' | 'failed' | null = null
  #seal: RecordingSeal | null = null
  #file: FileHandle | null = null
  #work: Promise<void>

  constructor(options: RecorderOptions) {
    this.#options = options
    this.facts = options.facts
    this.#work = this.#begin().catch(() => this.#breakOff('failed'))
  }

  /** Resolves when all is written and the file is closed. */
  get done(): Promise<void> {
    return this.#work
  }

  push(mulaw: Uint8Array): void {
    if (this.#end !== null) return
    this.#gathered.push(mulaw)
    this.#gatheredBytes += mulaw.length
    this.#heardBytes += mulaw.length
    if (this.#gatheredBytes >= chunkBytes) this.#append(false)
    if (this.#heardBytes >= this.#options.bytesMax) this.finish('too_long')
    else if (this.#waitingBytes > waitingBytesMax) this.finish('slow')
  }

  /** May be called twice; the first reason counts. */
  finish(how: RecorderEnd): void {
    if (this.#end !== null) return
    this.#append(how !== 'slow')
    this.#end = how
    this.#work = this.#work.then(async () => {
      await this.#file?.close().catch(() => {})
      this.#options.over(this.#cut ?? how)
    })
  }

  #append(isLast: boolean): void {
    const bytes = Buffer.concat(this.#gathered)
    this.#gathered = []
    this.#gatheredBytes = 0
    this.#waitingBytes += bytes.length
    const write = async (): Promise<void> => {
      this.#waitingBytes -= bytes.length
      await this.#write(bytes, isLast)
    }
    this.#work = this.#work.then(write).catch(() => this.#breakOff('failed'))
  }

  async #begin(): Promise<void> {
    const { keys, facts } = this.#options
    this.#seal = new RecordingSeal(await keys.keyFor(facts.callSid))
    this.#file = await open(join(keys.folderOf(facts.callSid), `${recordingId(facts)}.vfr`), 'wx', 0o600)
    await this.#put(Buffer.concat([this.#seal.head, this.#seal.seal(Buffer.from(JSON.stringify(facts)))]))
  }

  async #write(bytes: Buffer, isLast: boolean): Promise<void> {
    if (this.#seal === null || this.#file === null || this.#cut !== null) return
    await this.#put(this.#seal.seal(bytes, isLast))
  }

  async #put(bytes: Buffer): Promise<void> {
    if (this.#options.take(bytes.length)) await this.#file?.write(bytes)
    else this.#breakOff('full')
  }

  #breakOff(how: 'full' | 'failed'): void {
    this.#cut ??= how
    this.finish(how)
  }
}
