/**
 * What the demo's switch sends: a few lively minutes in which a flash-call, a wangiri and an IRSF campaign show, then
 * ordinary traffic at a low rate, an hour at a time and for ever. Event time is now. The same seed plays the same
 * calls, moved to the moment of the start. Any thread.
 *
 *   -24 min          -11.5 min       -3 min   now             +5 min
 *   |                |               |        |               |--- ordinary, hour by hour
 *   |                |               |        |-- flash, wangiri
 *   |                |               |-- ordinary
 *   |-- not sent ----|-- IRSF: long calls that end now began before; the rule wants more than ten minutes of them
 *                    `---- at once ------------'
 */
import { projectRoot } from '../core/project.ts'
import type { LabelledCdr } from './cdr-call.ts'
import { campaignKinds, type Prevalence } from './cdr-prevalence.ts'
import { CdrTraffic } from './cdr-traffic.ts'

interface Source {
  next(): LabelledCdr | undefined
}

const scenarioFile = `${projectRoot}configs/simulation/demo.yaml`
const minuteUs = 60_000_000
/** Calls that ended shortly before are sent at once, so that the page has something to draw. */
const pastUs = 3 * minuteUs
const irsfPastUs = 11.5 * minuteUs
const irsfBeforeUs = 24 * minuteUs
const openingUs = 5 * minuteUs
const chapterUs = 60 * minuteUs
const openingPerSecond = 15
const ordinaryPerSecond = 3
const flashCalls = 1500
const wangiriCalls = 900
const irsfCalls = 200

const none: Prevalence = Object.fromEntries(campaignKinds.map((kind) => [kind, 0]))

/** Records in the order in which they are due; there is no last one. */
export function demoFeed(seed: number, nowUs: number): Source {
  const past = traffic(seed, nowUs - pastUs, pastUs + openingUs, openingPerSecond, {})
  const toll = traffic(seed + 1, nowUs - irsfBeforeUs, irsfBeforeUs + openingUs, 0, { irsf: irsfCalls })
  const bulk = traffic(seed + 2, nowUs, openingUs, 0, { flash_call: flashCalls, wangiri: wangiriCalls })
  const sources = [past, new Later(toll, nowUs - irsfPastUs), bulk, new Chapters(seed + 3, nowUs)]
  return new Merged(sources)
}

function traffic(
  seed: number,
  startUs: number,
  spanUs: number,
  perSecond: number,
  calls: Readonly<Record<string, number>>,
): CdrTraffic {
  const seconds = spanUs / 1e6
  const attempts = perSecond * seconds + Object.values(calls).reduce((sum, count) => sum + count, 0)
  const shares = Object.fromEntries(Object.entries(calls).map(([kind, count]) => [kind, count / attempts]))
  const prevalence: Prevalence = { ...none, ...shares }
  return new CdrTraffic({ plan: 'train', file: scenarioFile, prevalence, seed, attempts, seconds, startUs })
}

/** Leaves out what was due before a moment. */
class Later implements Source {
  readonly #source: Source
  readonly #fromUs: number

  constructor(source: Source, fromUs: number) {
    this.#source = source
    this.#fromUs = fromUs
  }

  next(): LabelledCdr | undefined {
    let cdr = this.#source.next()
    while (cdr !== undefined && cdr.emitUs < this.#fromUs) cdr = this.#source.next()
    return cdr
  }
}

/** Ordinary traffic after the opening, hour after hour; some second tries of an hour come after the next has begun. */
class Chapters implements Source {
  readonly #seed: number
  readonly #playing = new Merged([])
  #startUs: number
  #index = 0

  constructor(seed: number, nowUs: number) {
    this.#seed = seed
    this.#startUs = nowUs + openingUs
  }

  next(): LabelledCdr | undefined {
    while (this.#playing.nextUs >= this.#startUs) {
      this.#playing.add(traffic(this.#seed + this.#index++, this.#startUs, chapterUs, ordinaryPerSecond, {}))
      this.#startUs += chapterUs
    }
    return this.#playing.next()
  }
}

/** Several sources as one, by the moment records are due. */
class Merged implements Source {
  #parts: { readonly source: Source; head: LabelledCdr }[] = []

  constructor(sources: readonly Source[]) {
    for (const source of sources) this.add(source)
  }

  /** When the next one is due; Infinity when there is none. */
  get nextUs(): number {
    return this.#first()?.head.emitUs ?? Number.POSITIVE_INFINITY
  }

  add(source: Source): void {
    const head = source.next()
    if (head !== undefined) this.#parts.push({ source, head })
  }

  next(): LabelledCdr | undefined {
    const first = this.#first()
    if (first === undefined) return undefined
    const { head } = first
    const next = first.source.next()
    if (next === undefined) this.#parts = this.#parts.filter((part) => part !== first)
    else first.head = next
    return head
  }

  #first(): { readonly source: Source; head: LabelledCdr } | undefined {
    let first = this.#parts[0]
    for (const part of this.#parts) if (first === undefined || part.head.emitUs < first.head.emitUs) first = part
    return first
  }
}
