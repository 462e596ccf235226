/**
 * Makes clean traffic dirty as real sources are: records twice, late, out of order, rows of forked legs, empty
 * callers, bytes that are no UTF-8, records that must be rejected. What was done to which record is counted, so that a
 * receiver's counts can be checked against it. Has a generator of its own: the calls themselves stay the same. Any
 * thread.
 */
import type { CdrRecord } from '../wire/cdr-record.ts'
import { cdrLine, type LabelledCdr, recordKey } from './cdr-call.ts'
import { logUniform, partSeed, uniform, WeightedChoice } from './cdr-draws.ts'
import { type Dirt, type DirtShares, dirtShares } from './cdr-scenario.ts'
import { TimeHeap } from './cdr-time-heap.ts'
import { type Random, seededRandom } from './seeded-random.ts'

export type Defect = keyof DirtShares

/** Records held back at a time; one more goes out at once and stays clean. */
const heldMaxUsual = 500_000

export class DirtyTraffic {
  /** How often each defect was made. */
  readonly counts: Record<Defect, number>
  readonly #traffic: { next(): LabelledCdr | undefined }
  readonly #dirt: Dirt
  readonly #random: Random
  readonly #heldMax: number
  readonly #choice: WeightedChoice<Defect | 'none'>
  readonly #held = new TimeHeap<LabelledCdr>()
  #upcoming: LabelledCdr | undefined

  constructor(traffic: { next(): LabelledCdr | undefined }, dirt: Dirt, seed: number, heldMax = heldMaxUsual) {
    this.#heldMax = heldMax
    const shares = dirtShares(dirt)
    const dirty = Object.values(shares).reduce((sum, share) => sum + share, 0)
    this.#traffic = traffic
    this.#dirt = dirt
    this.#random = seededRandom(partSeed(seed, 'dirt'))
    this.#choice = new WeightedChoice({ none: 1 - dirty, ...shares })
    this.counts = Object.fromEntries(Object.keys(shares).map((defect) => [defect, 0])) as Record<Defect, number>
    this.#upcoming = traffic.next()
  }

  next(): LabelledCdr | undefined {
    for (;;) {
      const cdr = this.#upcoming
      if (this.#held.size > 0 && this.#held.firstAt <= (cdr?.emitUs ?? Number.POSITIVE_INFINITY))
        return this.#held.pop()
      this.#upcoming = this.#traffic.next()
      if (cdr === undefined) return undefined
      const sent = this.#spoil(cdr)
      if (sent !== undefined) return sent
    }
  }

  /** What goes out now; undefined when it is held back. */
  #spoil(cdr: LabelledCdr): LabelledCdr | undefined {
    const defect = this.#choice.draw(this.#random)
    if (defect === 'none' || this.#held.size >= this.#heldMax) return cdr
    this.counts[defect]++
    cdr.defect = defect
    const { repeatS, lateS, disorderS } = this.#dirt
    switch (defect) {
      case 'duplicate':
        this.#hold({ ...cdr, repeated: true }, logUniform(this.#random, repeatS))
        return cdr
      case 'late':
        return this.#hold(cdr, uniform(this.#random, lateS))
      case 'disordered':
        return this.#hold(cdr, uniform(this.#random, disorderS))
      case 'fork':
        this.#hold({ ...cdr, record: forkOf(cdr.record) }, 0)
        return cdr
      case 'bad_utf8':
        cdr.line = `${cdrLine(cdr.record).slice(0, -1)},"attributes":{"display":"Jos\u00e9"}}`
        return cdr
      case 'bad_field':
        cdr.line = brokenLine(cdr.record, Math.floor(this.#random() * breakages.length))
        return cdr
      default:
        Object.assign(cdr.record, changes[defect](cdr.record))
        return cdr
    }
  }

  #hold(cdr: LabelledCdr, afterS: number): undefined {
    const emitUs = cdr.emitUs + Math.round(afterS * 1e6)
    this.#held.push(emitUs, { ...cdr, emitUs })
    return undefined
  }
}

const changes: Readonly<
  Record<
    'answered_zero' | 'unknown_release' | 'caller_empty' | 'caller_restricted',
    (record: CdrRecord) => Partial<CdrRecord>
  >
> = {
  answered_zero: (record) => ({
    answerUs: record.endUs ?? null,
    ringMs: record.ringUs === undefined ? undefined : Math.round(((record.endUs ?? 0) - record.ringUs) / 1000),
    talkMs: 0,
    causeQ850: 16,
    causeSip: 200,
    flags: [...(record.flags ?? []), 'answered_zero'],
  }),
  unknown_release: () => ({ releasedBy: 'unknown' }),
  caller_empty: () => ({ from: undefined, fromRaw: '', fromValid: false, flags: ['from_withheld'] }),
  caller_restricted: () => ({ from: undefined, fromRaw: 'Restricted', fromValid: false, flags: ['from_withheld'] }),
}

/** The branch that another one won, or that failed like the others: no attempt of its own. */
function forkOf(record: CdrRecord): CdrRecord {
  const endUs = record.answerUs ?? record.endUs
  const fork: CdrRecord = {
    ...record,
    leg: 'b',
    endUs,
    answerUs: null,
    causeQ850: 16,
    causeSip: 487,
    releasedBy: 'network',
    ringMs: record.ringUs === undefined || endUs === undefined ? undefined : Math.round((endUs - record.ringUs) / 1000),
    talkMs: 0,
    isAttempt: false,
    flags: [...(record.flags ?? []), 'forked_leg'],
  }
  fork.id = recordKey(fork)
  return fork
}

/** Ways in which a record is unusable; each must be rejected, and its neighbours taken. */
const breakages: readonly ((line: string) => string)[] = [
  (line) => line.replace(/"startUs":(\d{10})\d+/, '"startUs":$1'), // seconds
  (line) => line.replace(/"startUs":\d+,/, ''),
  (line) => line.replace(/"to":"\d+"/, '"to":"sip:nobody"'),
  (line) => line.replace(/"releasedBy":"\w+"/, '"releasedBy":"somebody"'),
  (line) => line.replace(/"causeSip":(\d+)/, '"causeSip":"$1"'),
  (line) => `${line.slice(0, -1)},"billed":true}`,
  (line) => line.slice(0, Math.floor(line.length / 2)),
]

function brokenLine(record: CdrRecord, breakage: number): string {
  return breakages[breakage]!(cdrLine(record))
}
