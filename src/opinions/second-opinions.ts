/**
 * Asks other detectors about single tracks: a copy of the track's next seconds goes to a vendor, its answer comes back
 * on our scale and is handed on, whenever it comes; nobody waits for it. Each track is asked about once, so many at a
 * time, within the vendors' budgets. A vendor that fails is counted and left, and its failure changes no verdict. Main
 * thread.
 *
 *   ask(track) --> gate of each vendor, in order --> session <--audio-- tap of the track
 *                                                       '--> score, abstention or failure --> heard(track, opinion)
 */
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import type { LiveTrack } from '../decisions/live-calls.ts'
import type { Opinion } from '../decisions/opinion-agreement.ts'
import type { AudioTaps } from '../ingest/audio-tap.ts'
import { OpinionFailure, type OpinionSession, type OpinionVendor, type VendorScore } from './opinion.ts'
import type { VendorGate } from './vendor-gate.ts'

/** With less audio nobody is asked: all vendors want more. */
const audioMsMin = 1500
/** A track that sends nothing is waited for so much longer than its audio lasts. */
const stalledMs = 10_000
const bytesPerMs = 8
/** Tracks remembered as asked about; live ones are bounded by admission. */
const askedMax = 20_000

export interface SecondOpinionsOptions {
  readonly vendors: readonly { readonly vendor: OpinionVendor; readonly gate: VendorGate }[]
  readonly taps: Pick<AudioTaps, 'listen'>
  /** Audio that a vendor is given. */
  readonly audioMs: number
  /** From the end of that audio to the answer. */
  readonly answerMs: number
  readonly concurrentMax: number
  readonly vendorsPerTrack: number
  readonly heard: (track: LiveTrack, opinion: Opinion) => void
  readonly clock: Clock
  readonly log: Log
  readonly counters: Pick<
    Counters,
    'opinionsAsked' | 'opinionsHeard' | 'opinionsAbstained' | 'opinionsFailed' | 'opinionsRefused'
  >
}

type Asked = SecondOpinionsOptions['vendors'][number]

export class SecondOpinions {
  readonly #options: SecondOpinionsOptions
  readonly #running = new Set<OpinionSession>()
  /** Ends the listening of each session that still hears. */
  readonly #listening = new Set<() => void>()
  readonly #asked = new Set<number>()
  #isClosed = false

  constructor(options: SecondOpinionsOptions) {
    this.#options = options
  }

  /** Questions under way. */
  get running(): number {
    return this.#running.size
  }

  /** Returns at once. False: there is nobody to ask, no budget or no room left, or this track was asked about. */
  ask(track: LiveTrack): boolean {
    const { vendors, vendorsPerTrack, concurrentMax, clock, counters } = this.#options
    const { trackId } = track.facts
    if (this.#isClosed || vendors.length === 0 || track.state !== 'live' || this.#asked.has(trackId)) return false
    let count = 0
    for (const each of vendors) {
      if (count === vendorsPerTrack || this.#running.size >= concurrentMax) break
      if (!each.gate.admit(clock.steadyMs())) continue
      count += 1
      counters.opinionsAsked += 1
      void this.#run(track, each)
    }
    if (count === 0) counters.opinionsRefused += 1
    else this.#remember(trackId)
    return count > 0
  }

  /** Gives up what is under way; nobody is asked any more. */
  close(): void {
    this.#isClosed = true
    for (const finish of [...this.#listening]) finish()
    for (const session of [...this.#running]) session.close()
  }

  #remember(trackId: number): void {
    for (const oldest of this.#asked) {
      if (this.#asked.size < askedMax) break
      this.#asked.delete(oldest)
    }
    this.#asked.add(trackId)
  }

  async #run(track: LiveTrack, { vendor, gate }: Asked): Promise<void> {
    const { clock, counters, log } = this.#options
    const session = vendor.start()
    this.#running.add(session)
    try {
      const audioMs = await this.#listen(track.facts.trackId, session)
      if (this.#isClosed) return
      if (audioMs < audioMsMin) {
        gate.withdrawn()
        counters.opinionsAbstained += 1
        this.#tell(track, vendor, { score: null, abstained: 'too_short' }, audioMs, clock.steadyMs())
        return
      }
      const sinceMs = clock.steadyMs()
      const said = await this.#answer(session)
      gate.succeeded()
      if (said.score === null) counters.opinionsAbstained += 1
      else counters.opinionsHeard += 1
      this.#tell(track, vendor, said, audioMs, sinceMs)
    } catch (thrown) {
      if (this.#isClosed) return
      counters.opinionsFailed += 1
      const failure = thrown instanceof OpinionFailure ? thrown : null
      gate.failed(failure ?? { reason: 'refused', afterMs: null }, clock.steadyMs())
      const fields = { vendor: vendor.name, reason: failure?.reason ?? 'bug', detail: messageOf(thrown) }
      if (failure !== null) log.warn('a second opinion failed', fields)
      else log.error('a second opinion threw', fields)
    } finally {
      this.#running.delete(session)
      session.close()
    }
  }

  /** Hands audio over until there is enough, the track is over, or nothing comes. @returns ms of audio */
  #listen(trackId: number, session: OpinionSession): Promise<number> {
    const { audioMs, taps } = this.#options
    const bytesMax = audioMs * bytesPerMs
    return new Promise((resolve) => {
      let bytes = 0
      const finish = (): void => {
        clearTimeout(timer)
        leave()
        this.#listening.delete(finish)
        resolve(bytes / bytesPerMs)
      }
      const timer = setTimeout(finish, audioMs + stalledMs)
      const audio = (mulaw: Uint8Array): void => {
        const part = mulaw.subarray(0, bytesMax - bytes)
        bytes += part.length
        session.pushAudio(part)
        if (bytes >= bytesMax) finish()
      }
      const leave = taps.listen(trackId, { audio, ended: finish })
      this.#listening.add(finish)
    })
  }

  async #answer(session: OpinionSession): Promise<VendorScore> {
    const { answerMs } = this.#options
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new OpinionFailure('timeout', `no answer within ${answerMs} ms`)), answerMs)
    })
    const said = session.score()
    // When the time is over first, nobody listens to what it says later.
    said.catch(() => undefined)
    try {
      return await Promise.race([said, late])
    } finally {
      clearTimeout(timer)
    }
  }

  #tell(track: LiveTrack, vendor: OpinionVendor, said: VendorScore, audioMs: number, sinceMs: number): void {
    const { clock, heard } = this.#options
    heard(track, {
      vendor: vendor.name,
      score: said.score === null ? null : Math.round(said.score * 10_000) / 10_000,
      abstained: said.abstained,
      audioMs: Math.round(audioMs),
      at: new Date(clock.wallMs()).toISOString(),
      tookMs: Math.round(clock.steadyMs() - sinceMs),
    })
  }
}
