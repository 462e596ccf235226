/**
 * The live fraud cases as this page knows them: loaded from `/v1/cases`, moved by events. A case that is closed,
 * dismissed or merged leaves at once. Bounded: at most `casesMax`. Browser.
 */
import type { CaseView } from '../decisions/case-view.ts'
import type { CaseEvent } from './fraud-shapes.ts'
import { Paced } from './paced.ts'

export const casesMax = 1000

export function isLive({ state, verdict }: CaseView): boolean {
  return (state === 'open' || state === 'cooled') && verdict !== 'dismissed'
}

export class CaseStore {
  readonly cases = new Map<string, CaseView>()
  /** Why the cases could not be asked for; null: they are known, or nobody asked yet. */
  problem: string | null = null
  loaded = false
  /** There are more than we keep; those kept are the worst. */
  isCut = false
  onOpened: (it: CaseView) => void = () => {}
  readonly #paced = new Paced()
  /** Page time of the last event about a case, ms. */
  readonly #heardAtMs = new Map<string, number>()

  readonly subscribe = this.#paced.subscribe

  /** The list is the truth about which cases there are; but an event that came after it was asked for is newer. */
  load(cases: readonly CaseView[], askedAtMs: number, isCut: boolean): void {
    const newer = (id: string) => (this.#heardAtMs.get(id) ?? Number.NEGATIVE_INFINITY) >= askedAtMs
    this.isCut = isCut
    const listed = new Set(cases.map(({ id }) => id))
    for (const id of this.cases.keys()) if (!listed.has(id) && !newer(id)) this.cases.delete(id)
    for (const it of cases) if (isLive(it) && !newer(it.id)) this.#keep(it)
    for (const [id, heardAtMs] of this.#heardAtMs) if (heardAtMs < askedAtMs) this.#heardAtMs.delete(id)
    this.loaded = true
    this.problem = null
    this.#paced.changed()
  }

  failed(problem: string): void {
    this.problem = problem
    this.#paced.changed()
  }

  apply({ change, case: it }: CaseEvent): void {
    this.#heardAtMs.set(it.id, performance.now())
    if (isLive(it)) {
      this.#keep(it)
      if (change === 'opened') this.onOpened(it)
    } else {
      this.cases.delete(it.id)
    }
    this.#paced.changed()
  }

  /** A worse one takes the place of the mildest. */
  #keep(it: CaseView): void {
    if (!this.cases.has(it.id) && this.cases.size >= casesMax) {
      this.isCut = true
      let mildest = it
      for (const each of this.cases.values()) if (byWorst(each, mildest) > 0) mildest = each
      if (mildest === it) return
      this.cases.delete(mildest.id)
    }
    this.cases.set(it.id, it)
  }
}

/** Open before cooled, then the server's severity, then the older case, so that equal ones stand still. */
function byWorst(a: CaseView, b: CaseView): number {
  const rank = ({ state }: CaseView) => (state === 'open' ? 0 : 1)
  return (
    rank(a) - rank(b) ||
    b.severity - a.severity ||
    b.score - a.score ||
    b.calls - a.calls ||
    (a.openedAt < b.openedAt ? -1 : a.openedAt > b.openedAt ? 1 : a.id < b.id ? -1 : 1)
  )
}

export function worstCaseFirst(cases: Iterable<CaseView>): CaseView[] {
  return [...cases].sort(byWorst)
}
