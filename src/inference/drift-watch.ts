/**
 * Whether what a model sees and says is still what it was: each quantity's distribution of a day (UTC) against a
 * reference, as population stability index. The reference is in the manifest (`reference`: 64 counts a quantity), else
 * gathered from the first `referenceDays` days that this version judged; until they are over there is no index.
 * Memory is a few kilobytes a day of at most `daysKept`. Time comes in as an argument. Main thread.
 *
 *   day 1 ... day referenceDays | day n-1 | today
 *   '------- reference -------'   psi       psi so far
 */
import { z } from 'zod'
import { type DriftState, driftState } from './drift-state.ts'
import { binsPerQuantity, Histograms, type Quantity, samplesMin, stabilityIndex } from './histograms.ts'

/** Hops of a voice model. */
export const voiceQuantities: readonly Quantity[] = [
  { name: 'score', about: 'log-likelihood ratio of a window', low: -8, high: 8 },
  { name: 'speechShare', about: 'share of a hop that is speech', low: 0, high: 1 },
  { name: 'lowFeatures', about: 'mean of the lower half of a frame', low: -16, high: 16 },
  { name: 'highFeatures', about: 'mean of the upper half of a frame', low: -16, high: 16 },
]

/** Rows of a flash-call model; names of features as `call-features` has them. */
export const flashCallQuantities: readonly Quantity[] = [
  { name: 'score', about: 'probability of a window of calls', low: 0, high: 1 },
  { name: 'logAttempts', about: 'attempts in the window', low: 0, high: 16 },
  { name: 'answeredShare', about: 'share answered', low: 0, high: 1 },
  { name: 'blinkShare', about: 'share ended by the caller before an answer', low: 0, high: 1 },
  { name: 'ringMeanS', about: 'mean ringing', low: 0, high: 64 },
  { name: 'distinctBShare', about: 'different numbers called per attempt', low: 0, high: 1 },
]

export interface DriftView {
  readonly model: string
  readonly reference: {
    readonly from: 'manifest' | 'first_days'
    readonly state: 'gathering' | 'complete'
    readonly days: number
    readonly samples: number
  }
  readonly quantities: readonly { readonly name: string; readonly about: string }[]
  /** Newest first; the first one is today, so far. */
  readonly days: readonly {
    readonly day: string
    readonly samples: number
    readonly state: DriftState
    readonly psi: Readonly<Record<string, number | null>>
  }[]
}

const counts = z.array(z.number().int().min(0))
const memorySchema = z.strictObject({
  model: z.string(),
  quantities: z.array(z.string()),
  reference: z.strictObject({ days: z.array(z.string()), counts }),
  days: z.array(z.strictObject({ day: z.string(), counts })),
})

export interface DriftOptions {
  /** Label: what was gathered of another version is forgotten. */
  readonly model: string
  readonly quantities: readonly Quantity[]
  /** Of the manifest. */
  readonly reference?: Readonly<Record<string, readonly number[]>> | undefined
  readonly referenceDays: number
  readonly daysKept: number
}

export class DriftWatch {
  readonly #options: DriftOptions
  readonly #reference: Histograms
  /** Days that the reference was gathered from, whole ones; empty with a manifest's. */
  #referenceDays: string[] = []
  /** Oldest first. */
  #days: { readonly day: string; readonly seen: Histograms }[] = []

  constructor(options: DriftOptions) {
    this.#options = options
    const { quantities, reference } = options
    this.#reference = new Histograms(quantities)
    for (const [i, { name }] of quantities.entries()) {
      const given = reference?.[name]
      if (given?.length === binsPerQuantity) this.#reference.of(i).set(given)
    }
  }

  get model(): string {
    return this.#options.model
  }

  /** Where the samples of this moment are counted. */
  today(wallMs: number): Histograms {
    const day = new Date(wallMs).toISOString().slice(0, 10)
    const last = this.#days.at(-1)
    // A clock that was set back goes on with the newest day.
    if (last !== undefined && last.day >= day) return last.seen
    if (last !== undefined) this.#closeDay(last)
    const seen = new Histograms(this.#options.quantities)
    this.#days.push({ day, seen })
    if (this.#days.length > this.#options.daysKept) this.#days.shift()
    return seen
  }

  /** A day too quiet to say anything is no day of the reference. */
  #closeDay({ day, seen }: { day: string; seen: Histograms }): void {
    if (!this.#isGathering() || seen.samples(0) < samplesMin) return
    this.#reference.merge(seen.counts)
    this.#referenceDays.push(day)
  }

  #isGathering(): boolean {
    const { reference, referenceDays } = this.#options
    return reference === undefined && this.#referenceDays.length < referenceDays
  }

  view(): DriftView {
    const { quantities, reference, model } = this.#options
    const isGathering = this.#isGathering()
    return {
      model,
      reference: {
        from: reference === undefined ? 'first_days' : 'manifest',
        state: isGathering ? 'gathering' : 'complete',
        days: this.#referenceDays.length,
        samples: this.#reference.samples(0),
      },
      quantities: quantities.map(({ name, about }) => ({ name, about })),
      days: [...this.#days].reverse().map(({ day, seen }) => {
        const psi = quantities.map(({ name }, i) => [name, this.#indexOf(seen, i, isGathering)] as const)
        const known = psi.flatMap(([, value]) => value ?? [])
        const worst = known.length === 0 ? null : Math.max(...known)
        return { day, samples: seen.samples(0), state: driftState(worst), psi: Object.fromEntries(psi) }
      }),
    }
  }

  #indexOf(seen: Histograms, quantity: number, isGathering: boolean): number | null {
    return isGathering ? null : stabilityIndex(this.#reference.of(quantity), seen.of(quantity))
  }

  /** What a restart goes on with. */
  memory(): object {
    const { quantities, model } = this.#options
    const own = { model, quantities: quantities.map(({ name }) => name) }
    const reference = { days: this.#referenceDays, counts: [...this.#reference.counts] }
    return { ...own, reference, days: this.#days.map(({ day, seen }) => ({ day, counts: [...seen.counts] })) }
  }

  /** Goes on where another run stopped; what is of another version, or cannot be read, is left. */
  restore(memory: unknown): boolean {
    const { quantities, model, reference } = this.#options
    const read = memorySchema.safeParse(memory)
    if (!read.success || read.data.model !== model) return false
    const names = quantities.map(({ name }) => name).join()
    const length = this.#reference.counts.length
    const all = [read.data.reference.counts, ...read.data.days.map((each) => each.counts)]
    if (read.data.quantities.join() !== names || all.some((each) => each.length !== length)) return false
    if (reference === undefined) {
      this.#reference.counts.set(read.data.reference.counts)
      this.#referenceDays = read.data.reference.days
    }
    this.#days = read.data.days
      .slice(-this.#options.daysKept)
      .map(({ day, counts: seen }) => ({ day, seen: new Histograms(quantities, seen) }))
    return true
  }
}
