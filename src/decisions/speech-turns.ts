/**
 * How long a side of a call takes to answer: from the end of what the other side said to the beginning of what this
 * side says, in media time. One for each track; two that hear the same call are set to `face` one another. A phrase
 * answers when the other side stopped speaking after this side last did, and is silent when the phrase begins; who
 * speaks while the other still does is not answering, nor is who goes on. Bounded: the last phrases and the last
 * latencies. Main thread.
 *
 *   other   ########            ##########
 *   this              #####  ##            ####
 *                 |---|                  |-|        responses; the second phrase goes on with the first
 */
import { quantile } from '../core/quantile.ts'
import type { TrackSignals } from '../features/call-signals.ts'

/** Phrases of a track that are kept: older ones answer nothing any more. */
const phrasesKept = 8
/** Latencies that median and spread are of: the newest. */
const latenciesKept = 64
/** Who begins later than this does not answer, but speaks anew. */
const latencyMsMax = 5000
/** When the other side was heard so far beyond a moment, all is known of what it said before: see phrases.ts. */
const knownAfterMs = 300

interface Phrase {
  readonly startMs: number
  /** NaN: not known yet, or cut off. */
  endMs: number
}

export interface ResponseFigures {
  /** Responses counted since the track began. */
  readonly responses: number
  /** Of the last 64; null before the first. */
  readonly responseLatencyMsMedian: number | null
  /** Third quartile less the first; null before the second. */
  readonly responseLatencyMsSpread: number | null
}

export class SpeechTurns {
  readonly #phrases: Phrase[] = []
  readonly #latenciesMs: number[] = []
  #other: SpeechTurns | null = null
  #heardUntilMs = Number.NEGATIVE_INFINITY
  /** Phrases at the end of the list whose answer is not judged yet. */
  #waiting = 0
  #figures: ResponseFigures = { responses: 0, responseLatencyMsMedian: null, responseLatencyMsSpread: null }

  /** The two sides of one call, on one media clock. */
  face(other: SpeechTurns): void {
    this.#other = other
    other.#other = this
  }

  /** What a track told after a hop; hops in their order. */
  hear({ phraseStartMs, phraseEndMs }: Pick<TrackSignals, 'phraseStartMs' | 'phraseEndMs'>, hopEndMs: number): void {
    const newest = this.#phrases.at(-1)
    // An end comes before a start that is told with it, or belongs to it.
    if (newest !== undefined && Number.isNaN(newest.endMs) && phraseEndMs > newest.startMs) newest.endMs = phraseEndMs
    if (phraseStartMs > (newest?.startMs ?? Number.NEGATIVE_INFINITY)) {
      this.#phrases.push({ startMs: phraseStartMs, endMs: phraseEndMs > phraseStartMs ? phraseEndMs : Number.NaN })
      this.#waiting += 1
      if (this.#phrases.length > phrasesKept) this.#phrases.shift()
      this.#waiting = Math.min(this.#waiting, phrasesKept)
    }
    this.#heardUntilMs = hopEndMs
    this.#settle()
    if (this.#other !== null) this.#other.#settle()
  }

  /** Judges the phrases before which the other side is known. */
  #settle(): void {
    const other = this.#other
    if (other === null) return
    for (; this.#waiting > 0; this.#waiting -= 1) {
      const at = this.#phrases.length - this.#waiting
      const phrase = this.#phrases[at]
      if (phrase === undefined || other.#heardUntilMs < phrase.startMs + knownAfterMs) return
      const saidMs = other.#endBefore(phrase.startMs)
      const before = this.#phrases[at - 1]
      const silentFromMs = before === undefined ? Number.NEGATIVE_INFINITY : before.endMs
      const latencyMs = phrase.startMs - saidMs
      if (saidMs > silentFromMs && latencyMs <= latencyMsMax) this.#count(latencyMs)
    }
  }

  /** End of what this side said last before the moment; NaN: it was speaking then, or has said nothing. */
  #endBefore(momentMs: number): number {
    const said = this.#phrases.findLast(({ startMs }) => startMs < momentMs)
    return said !== undefined && said.endMs <= momentMs ? said.endMs : Number.NaN
  }

  #count(latencyMs: number): void {
    this.#latenciesMs.push(latencyMs)
    if (this.#latenciesMs.length > latenciesKept) this.#latenciesMs.shift()
    const sorted = [...this.#latenciesMs].sort((a, b) => a - b)
    const at = (share: number): number => quantile(sorted, share) ?? Number.NaN
    this.#figures = {
      responses: this.#figures.responses + 1,
      responseLatencyMsMedian: Math.round(at(0.5)),
      responseLatencyMsSpread: sorted.length < 2 ? null : Math.round(at(0.75) - at(0.25)),
    }
  }

  get figures(): ResponseFigures {
    return this.#figures
  }
}
