/**
 * What is kept of calls as audio: nothing, unless the configuration says so; then, per track, sealed files within a
 * budget of disk and a time to live, and never of a call that opted out. Listens beside the way of the audio
 * (`ingest/audio-tap.ts`). A call is erased by destroying its key first. Main thread.
 */
import { open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AudioConfig } from '../config/audio-schema.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import type { AudioTaps } from '../ingest/audio-tap.ts'
import type { TrackFacts } from '../ingest/track.ts'
import { openFacts, openRecording } from './recording-file.ts'
import type { RecordingKeys } from './recording-keys.ts'
import { type RecorderEnd, recordingId, TrackRecorder } from './track-recorder.ts'

/** Calls under way that opted out by request are remembered so far. */
const optedOutMax = 100_000
const closeWaitMs = 3000
/** Enough of a file to hold its facts. */
const factsBytes = 4096
const idShape = /^(inbound|outbound)-(\d{10,16})$/
const callSidShape = /^CA[0-9a-fA-F]{32}$/

export interface KeptTrack {
  readonly callSid: string
  readonly id: string
  readonly track: string
  readonly startedAtMs: number
  /** On disk. */
  readonly bytes: number
  readonly isLive: boolean
}

export interface RecordingsOptions {
  readonly config: AudioConfig
  readonly directory: string
  readonly keys: RecordingKeys
  readonly taps: Pick<AudioTaps, 'listen'>
  readonly clock: Clock
  readonly log: Log
  readonly counters: Pick<
    Counters,
    | 'recordingsKept'
    | 'recordingsTooLong'
    | 'recordingsFull'
    | 'recordingsFailed'
    | 'recordingsRefused'
    | 'recordingsErased'
    | 'recordingsExpired'
  >
}

export class Recordings {
  readonly #options: RecordingsOptions
  /** By track id. */
  readonly #live = new Map<number, { readonly recorder: TrackRecorder; readonly leave: () => void }>()
  readonly #optedOut = new Set<string>()
  #bytes = 0

  constructor(options: RecordingsOptions) {
    this.#options = options
  }

  get isOn(): boolean {
    return this.#options.config.keep !== 'none'
  }

  /** On disk. */
  get bytes(): number {
    return this.#bytes
  }

  get running(): number {
    return this.#live.size
  }

  /** Counts what lies there from before. */
  async begin(): Promise<void> {
    for (const { bytes } of await this.list()) this.#bytes += bytes
  }

  /** Keeps a track from now on. False: nothing is kept, or not of this call; or it is kept already. */
  start({ trackId, track, call, startedAtMs }: TrackFacts): boolean {
    const { config, keys, taps, counters } = this.#options
    const { callSid, from, to } = call
    if (!this.isOn || this.#live.has(trackId) || !callSidShape.test(callSid)) return false
    if (call.keepsNoAudio === true || this.#optedOut.has(callSid)) {
      counters.recordingsRefused += 1
      return false
    }
    const recorder = new TrackRecorder({
      keys,
      facts: { callSid, track, startedAtMs, from, to },
      bytesMax: config.trackSecondsMax * 8000,
      take: (bytes) => this.#take(bytes),
      over: (how) => this.#over(trackId, how),
    })
    const leave = taps.listen(trackId, {
      audio: (mulaw) => recorder.push(mulaw),
      ended: () => recorder.finish('ended'),
    })
    this.#live.set(trackId, { recorder, leave })
    return true
  }

  /** Nothing more of this call is kept, and what was is erased. */
  async optOut(callSid: string): Promise<number> {
    this.#optedOut.add(callSid)
    const [oldest] = this.#optedOut
    if (this.#optedOut.size > optedOutMax && oldest !== undefined) this.#optedOut.delete(oldest)
    return await this.erase(callSid)
  }

  optIn(callSid: string): void {
    this.#optedOut.delete(callSid)
  }

  /** The call's tracks, or all, newest first. */
  async list(callSid?: string): Promise<KeptTrack[]> {
    const calls = callSid === undefined ? await names(this.#options.directory) : [callSid]
    const kept: KeptTrack[] = []
    const live = new Set([...this.#live.values()].map(({ recorder }) => nameOf(recorder.facts.callSid, recorder.facts)))
    for (const call of calls.filter((name) => callSidShape.test(name))) {
      for (const file of await names(this.#options.keys.folderOf(call))) {
        const [, track, started] = idShape.exec(file.replace(/\.vfr$/, '')) ?? []
        if (track === undefined || !file.endsWith('.vfr')) continue
        const { size } = await stat(join(this.#options.keys.folderOf(call), file)).catch(() => ({ size: 0 }))
        const id = `${track}-${started}`
        const facts = { track, startedAtMs: Number(started) }
        kept.push({ callSid: call, id, ...facts, bytes: size, isLive: live.has(nameOf(call, facts)) })
      }
    }
    return kept.sort((a, b) => b.startedAtMs - a.startedAtMs || a.track.localeCompare(b.track))
  }

  /** The audio of one kept track, as far as it is written. @throws OperatingError not_found, recording_unreadable */
  async read(callSid: string, id: string): Promise<{ mulaw: Buffer; isComplete: boolean }> {
    if (!callSidShape.test(callSid) || !idShape.test(id)) throw notKept()
    const key = await this.#options.keys.find(callSid)
    if (key === null) throw notKept()
    const file = join(this.#options.keys.folderOf(callSid), `${id}.vfr`)
    const bytes = await readFile(file).catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code === 'ENOENT') throw notKept()
      throw thrown
    })
    const { facts, mulaw, isComplete } = openRecording(bytes, key)
    // A whole file put in another's place is sealed rightly, and says whose it is.
    if (facts.callSid !== callSid || recordingId(facts) !== id) {
      throw new OperatingError('recording_unreadable', 'this recording is of another call or track')
    }
    return { mulaw, isComplete }
  }

  /** Ends and erases what is kept of a call. @returns tracks that were erased */
  async erase(callSid: string): Promise<number> {
    if (!callSidShape.test(callSid)) return 0
    const running = [...this.#live.values()].filter(({ recorder }) => recorder.facts.callSid === callSid)
    for (const { recorder } of running) recorder.finish('erased')
    await Promise.all(running.map(({ recorder }) => recorder.done))
    const kept = await this.list(callSid)
    await this.#options.keys.destroy(callSid)
    await rm(this.#options.keys.folderOf(callSid), { recursive: true, force: true })
    this.#bytes -= kept.reduce((sum, { bytes }) => sum + bytes, 0)
    this.#options.counters.recordingsErased += kept.length
    return kept.length
  }

  /**
   * Erases every call from or to a number. `forms`: how the number may stand in a call's facts.
   * @returns calls looked at, and those erased
   */
  async eraseOf(forms: ReadonlySet<string>): Promise<{ searched: number; erased: string[] }> {
    const calls = [...new Set((await this.list()).map(({ callSid }) => callSid))]
    const erased: string[] = []
    for (const callSid of calls) {
      if (!(await this.#isOf(callSid, forms))) continue
      await this.erase(callSid)
      erased.push(callSid)
    }
    return { searched: calls.length, erased }
  }

  /** Erases calls whose newest track is older than the time to live. */
  async expire(): Promise<void> {
    const { clock, config, counters, log } = this.#options
    const oldestMs = clock.wallMs() - config.ttlH * 3_600_000
    const newest = new Map<string, number>()
    for (const { callSid, startedAtMs, isLive } of await this.list()) {
      const known = newest.get(callSid) ?? 0
      newest.set(callSid, Math.max(known, isLive ? Number.POSITIVE_INFINITY : startedAtMs))
    }
    for (const [callSid, startedAtMs] of newest) {
      if (startedAtMs >= oldestMs) continue
      const erased = await this.erase(callSid).catch((thrown: unknown) => {
        log.error('kept audio that is over could not be erased', { callSid, reason: messageOf(thrown) })
        return 0
      })
      counters.recordingsExpired += erased
    }
  }

  /** A disk that hangs is not waited for longer than a moment. */
  async close(): Promise<void> {
    const running = [...this.#live.values()].map(({ recorder }) => recorder)
    for (const recorder of running) recorder.finish('ended')
    const written = Promise.all(running.map((recorder) => recorder.done))
    await Promise.race([written, sleep(closeWaitMs, undefined, { ref: false })])
  }

  #take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#options.config.bytesMax) return false
    this.#bytes += bytes
    return true
  }

  #over(trackId: number, how: RecorderEnd): void {
    const { counters } = this.#options
    this.#live.get(trackId)?.leave()
    this.#live.delete(trackId)
    if (how === 'ended') counters.recordingsKept += 1
    else if (how === 'too_long') counters.recordingsTooLong += 1
    else if (how === 'full') counters.recordingsFull += 1
    else if (how !== 'erased') counters.recordingsFailed += 1
  }

  /** A call whose facts cannot be read is not kept back from an erasure: it cannot be heard either. */
  async #isOf(callSid: string, forms: ReadonlySet<string>): Promise<boolean> {
    const { keys } = this.#options
    for (const { id } of await this.list(callSid)) {
      try {
        const key = await keys.find(callSid)
        const file = await open(join(keys.folderOf(callSid), `${id}.vfr`), 'r')
        const { buffer, bytesRead } = await file
          .read(Buffer.alloc(factsBytes), 0, factsBytes, 0)
          .finally(() => file.close())
        const { from, to } = openFacts(buffer.subarray(0, bytesRead), key ?? Buffer.alloc(32))
        if (forms.has(from) || forms.has(to)) return true
      } catch (thrown) {
        this.#options.log.warn('facts of kept audio could not be read', { callSid, reason: messageOf(thrown) })
      }
    }
    return false
  }
}

function nameOf(callSid: string, facts: { readonly track: string; readonly startedAtMs: number }): string {
  return `${callSid}/${recordingId(facts)}`
}

async function names(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw thrown
  }
}

function notKept(): OperatingError {
  return new OperatingError('not_found', 'no audio of that call and track is kept')
}
