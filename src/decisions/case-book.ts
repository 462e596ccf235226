/**
 * All cases that live, and the newest that are over, in memory: what the fraud worker told, and what people decided
 * since. Answers decisions by looking up the subjects that a call would have. Every state is journalled, told to
 * listeners and stored; ids, verdicts and quiet subjects survive a restart. What a person ended stays ended, whatever
 * the worker still says of it. Main thread.
 *
 *   worker: changes -> apply() --.                        .--> published (events), stored (table)
 *                                +-> memory by id, subject +
 *   people: decide() ------------'                        '--> journal; told to the worker
 */
import type { Clock } from '../core/clock.ts'
import { OperatingError } from '../core/errors.ts'
import type { NumberSpellings } from '../wire/number-spellings.ts'
import type { BookedCase, CaseJournal } from './case-journal.ts'
import { subjectKey } from './case-subjects.ts'
import type { CaseChange, CaseSeed, FraudCase, Verdict } from './cases.ts'

/** Cases that are over and still told from memory; older ones are in the table. */
const closedKeptMax = 2000

export type BookChange = CaseChange | Verdict
export const caseActions = ['confirm', 'dismiss', 'close'] as const
export type CaseAct = (typeof caseActions)[number]

/** What the worker must know of a person's decision. */
export interface Ruling {
  readonly id: string
  readonly verdict: Verdict | null
  readonly quiet: { readonly seed: CaseSeed; readonly untilMs: number }
  readonly ends: boolean
  readonly restore: CaseSeed | null
}

export interface CaseBookOptions {
  readonly journal: Pick<CaseJournal, 'read' | 'write' | 'compact' | 'isLarge'>
  readonly clock: Clock
  /** A dismissed subject opens no case of the kind for so long. */
  readonly dismissMs: number
  /** Every new state: for events. */
  readonly published: (change: BookChange, booked: BookedCase) => void
  /** Every new state: for the table. */
  readonly stored: (booked: BookedCase) => void
  readonly ruled: (ruling: Ruling) => void
  readonly forgotten: () => void
}

export class CaseBook {
  readonly #options: CaseBookOptions
  readonly #byId = new Map<string, BookedCase>()
  /** Subject -> ids of its live cases. */
  readonly #live = new Map<string, Set<string>>()
  /** Ids of cases that are over, in the order in which they ended. */
  readonly #over = new Set<string>()
  #writing: Promise<void> = Promise.resolve()

  constructor(options: CaseBookOptions) {
    this.#options = options
  }

  /** Takes in what a former run left. @returns how many cases live. */
  open(): number {
    const states = this.#options.journal.read().sort((a, b) => a.seed.it.lastSeenMs - b.seed.it.lastSeenMs)
    for (const booked of states) this.#put(booked)
    this.#forget()
    for (const booked of this.#byId.values()) this.#options.stored(booked)
    return this.liveCount
  }

  get liveCount(): number {
    return this.#byId.size - this.#over.size
  }

  get(id: string): BookedCase | undefined {
    return this.#byId.get(id)
  }

  live(): BookedCase[] {
    return [...this.#byId.values()].filter((booked) => isLive(booked.seed.it))
  }

  /** Newest end first. */
  over(): BookedCase[] {
    return [...this.#over].reverse().map((id) => this.#byId.get(id) as BookedCase)
  }

  /** Live cases on any of these subjects. */
  on(subjects: readonly string[]): FraudCase[] {
    const found: FraudCase[] = []
    for (const subject of subjects) {
      const ids = this.#live.get(subject)
      if (ids !== undefined) for (const id of ids) found.push((this.#byId.get(id) as BookedCase).seed.it)
    }
    return found
  }

  /** For a worker that begins. */
  seeds(): CaseSeed[] {
    return this.live().map((booked) => booked.seed)
  }

  /** Subjects that people have silenced, for a worker that begins. */
  quiet(): Ruling['quiet'][] {
    return [...this.#byId.values()].filter((booked) => booked.quietUntilMs > 0).map(quietOf)
  }

  /** Takes in what the worker told. @returns the states to be written: `write` them. */
  apply(changes: readonly { readonly change: CaseChange; readonly seed: CaseSeed }[]): BookedCase[] {
    const states: BookedCase[] = []
    for (const { change, seed } of changes) {
      const known = this.#byId.get(seed.it.id)
      // A person ended it; what the worker says of it was on its way.
      if (known !== undefined && !isLive(known.seed.it)) continue
      const state: BookedCase = {
        seed: { ...seed, it: { ...seed.it, verdict: known?.seed.it.verdict ?? null } },
        decidedBy: known?.decidedBy ?? null,
        decidedMs: known?.decidedMs ?? null,
        note: known?.note ?? null,
        quietUntilMs: known?.quietUntilMs ?? 0,
        version: (known?.version ?? 0) + 1,
      }
      this.#tell(change, state)
      states.push(state)
    }
    this.#forget()
    return states
  }

  /** Resolves once the states are on disk. */
  write(states: readonly BookedCase[]): Promise<void> {
    const { journal } = this.#options
    const before = this.#writing.catch(() => undefined)
    this.#writing = before.then(() =>
      journal.isLarge ? journal.compact([...this.#byId.values()]) : journal.write(states),
    )
    return this.#writing
  }

  /** @throws OperatingError not_found, conflict */
  async decide(id: string, act: CaseAct, by: string, note: string | null): Promise<BookedCase> {
    const known = this.#byId.get(id)
    if (known === undefined)
      throw new OperatingError('not_found', 'no case of that id is known, or it was over long ago')
    const { it } = known.seed
    const refusal = refusalOf(act, it)
    if (refusal !== null) throw new OperatingError('conflict', refusal)
    const nowMs = this.#options.clock.wallMs()
    const undone = act === 'confirm' && it.verdict === 'dismissed' && this.#isFree(it)
    const ends = act !== 'confirm' && isLive(it)
    const state: BookedCase = {
      seed: {
        ...known.seed,
        it: {
          ...it,
          state: undone ? 'open' : ends ? 'closed' : it.state,
          verdict: act === 'confirm' ? 'confirmed' : act === 'dismiss' ? 'dismissed' : it.verdict,
        },
      },
      decidedBy: by,
      decidedMs: nowMs,
      note: note ?? known.note,
      quietUntilMs: act === 'confirm' ? 0 : act === 'dismiss' ? nowMs + this.#options.dismissMs : nowMs,
      version: known.version + 1,
    }
    // Like the worker's: in memory at once, so that the action ends now, and answered when it is on disk.
    this.#tell(act === 'confirm' ? 'confirmed' : act === 'dismiss' ? 'dismissed' : 'closed', state)
    const { verdict } = state.seed.it
    this.#options.ruled({ id, verdict, quiet: quietOf(state), ends, restore: undone ? state.seed : null })
    await this.write([state])
    return state
  }

  /**
   * A number is to be forgotten: cases about it end and keep no subject, texts of others lose it. @returns how many
   * states changed, once they are on disk; the journal begins anew without the former ones.
   */
  async erase(spellings: NumberSpellings): Promise<number> {
    let changed = 0
    for (const [id, booked] of this.#byId) {
      const { it } = booked.seed
      const isAbout = it.subject.type.endsWith('number') && spellings.is(it.subject.value)
      const scrubbed = spellings.scrubValue(booked, isAbout)
      if (scrubbed === booked) continue
      changed += 1
      const ends = isAbout && isLive(it)
      this.#unlist(it)
      const seed = { ...scrubbed.seed, it: { ...scrubbed.seed.it, ...(ends ? { state: 'closed' as const } : {}) } }
      const quietUntilMs = isAbout ? 0 : booked.quietUntilMs
      const state = {
        ...scrubbed,
        seed: { ...seed, it: { ...seed.it, id } },
        quietUntilMs,
        version: booked.version + 1,
      }
      this.#put(state)
      this.#options.stored(state)
      if (ends) this.#options.published('closed', state)
    }
    const { journal } = this.#options
    const before = this.#writing.catch(() => undefined)
    this.#writing = before.then(() => journal.compact([...this.#byId.values()]))
    await this.#writing
    return changed
  }

  /** Lets go of cases that are over and were seen last before then, on disk too. @returns how many */
  async expire(beforeMs: number): Promise<number> {
    const nowMs = this.#options.clock.wallMs()
    const old = [...this.#over].filter((id) => {
      const booked = this.#byId.get(id) as BookedCase
      return booked.seed.it.lastSeenMs < beforeMs && booked.quietUntilMs <= nowMs
    })
    if (old.length === 0) return 0
    for (const id of old) {
      this.#over.delete(id)
      this.#byId.delete(id)
    }
    const { journal } = this.#options
    const before = this.#writing.catch(() => undefined)
    this.#writing = before.then(() => journal.compact([...this.#byId.values()]))
    await this.#writing
    return old.length
  }

  #unlist(it: FraudCase): void {
    const key = subjectKey(it.subject)
    const ids = this.#live.get(key)
    ids?.delete(it.id)
    if (ids?.size === 0) this.#live.delete(key)
  }

  #isFree(it: FraudCase): boolean {
    return !this.on([subjectKey(it.subject)]).some((each) => each.kind === it.kind)
  }

  #tell(change: BookChange, state: BookedCase): void {
    this.#put(state)
    this.#options.published(change, state)
    this.#options.stored(state)
  }

  #put(booked: BookedCase): void {
    const { it } = booked.seed
    const key = subjectKey(it.subject)
    this.#byId.set(it.id, booked)
    if (isLive(it)) {
      this.#over.delete(it.id)
      const ids = this.#live.get(key)
      if (ids === undefined) this.#live.set(key, new Set([it.id]))
      else ids.add(it.id)
      return
    }
    this.#over.add(it.id)
    this.#unlist(it)
  }

  /** The oldest that are over leave memory, but not while they keep a subject quiet. */
  #forget(): void {
    let surplus = this.#over.size - closedKeptMax
    if (surplus <= 0) return
    const nowMs = this.#options.clock.wallMs()
    for (const id of this.#over) {
      if (surplus <= 0) return
      if ((this.#byId.get(id)?.quietUntilMs ?? 0) > nowMs) continue
      this.#over.delete(id)
      this.#byId.delete(id)
      this.#options.forgotten()
      surplus--
    }
  }
}

function isLive(it: FraudCase): boolean {
  return it.state === 'open' || it.state === 'cooled'
}

function quietOf({ seed, quietUntilMs }: BookedCase): Ruling['quiet'] {
  return { seed, untilMs: quietUntilMs }
}

/** Why a decision makes no sense; null: it does. */
function refusalOf(act: CaseAct, it: FraudCase): string | null {
  if (it.state === 'merged') return `the case was taken in by ${it.mergedInto}: decide on that one`
  if (act === 'confirm' && it.verdict === 'confirmed') return 'the case is confirmed already'
  if (act === 'dismiss' && it.verdict === 'dismissed') return 'the case is dismissed already'
  if (act === 'close' && !isLive(it)) return 'the case is closed already'
  return null
}
