/**
 * What the page knows of the house: live tracks and cases, connection, status, who is signed in; kept fresh by events
 * and, where events cannot tell, by asking again (`askPauses`). Components subscribe and draw. Browser.
 */

import type { CaseView } from '../decisions/case-view.ts'
import { ApiProblem, api, problemText, type Status, type Who } from './api-client.ts'
import { Asking } from './asking.ts'
import { CaseStore, casesMax } from './case-store.ts'
import { type ActionEvent, type ConnectionState, openEventStream, type VerdictEvent } from './event-stream.ts'
import type { CaseEvent, CasePage } from './fraud-shapes.ts'
import { LiveStore } from './live-store.ts'

const askPauses = { leastMs: 1500, retryMs: 2000 }
const statusEveryMs = 10_000
const livePollMs = 30_000
const casePollMs = 60_000
const casesAPage = 200

export class House {
  readonly store = new LiveStore()
  readonly cases = new CaseStore()
  readonly who: Who
  connection: ConnectionState = 'connecting'
  status: Status | null = null
  loaded = false
  /** Server wall time minus page time, ms. */
  clockOffsetMs = 0
  /** Called when the session has ended. */
  onSignedOut: () => void = () => {}
  readonly #listeners = new Set<() => void>()
  readonly #verdictListeners = new Set<(event: VerdictEvent) => void>()
  readonly #actionListeners = new Set<(event: ActionEvent) => void>()
  readonly #caseListeners = new Set<(event: CaseEvent) => void>()
  readonly #pastListeners = new Set<() => void>()
  readonly #calls = new Asking(() => this.#askCalls(), { regularMs: livePollMs, ...askPauses })
  readonly #liveCases = new Asking(() => this.#askCases(), { regularMs: casePollMs, ...askPauses })
  #stops: (() => void)[] = []

  constructor(who: Who) {
    this.who = who
  }

  start(): void {
    this.store.onUnknown = () => this.#calls.soon()
    this.store.onEnded = () => this.#tellPast()
    const closeStream = openEventStream({
      verdict: (event) => this.#verdict(event),
      action: (event) => {
        for (const listener of this.#actionListeners) listener(event)
      },
      fraudCase: (event) => this.tellCase(event),
      health: (code) => {
        if (code === 'events_missed') this.#askAll()
        void this.#askStatus()
      },
      state: (state) => this.#connected(state),
      refused: () => this.#stillSignedIn(),
    })
    const statusTimer = setInterval(() => void this.#askStatus(), statusEveryMs)
    this.#stops = [
      closeStream,
      () => clearInterval(statusTimer),
      () => this.#calls.stop(),
      () => this.#liveCases.stop(),
    ]
    void this.#askStatus()
    this.#calls.start()
    this.#liveCases.start()
  }

  stop(): void {
    for (const stop of this.#stops) stop()
  }

  /** Told of connection, status and first load; the store tells of tracks. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  onVerdict(listener: (event: VerdictEvent) => void): () => void {
    this.#verdictListeners.add(listener)
    return () => void this.#verdictListeners.delete(listener)
  }

  /** Told when something was done, or would have been, to a call. */
  onAction(listener: (event: ActionEvent) => void): () => void {
    this.#actionListeners.add(listener)
    return () => void this.#actionListeners.delete(listener)
  }

  /** Told of every case event, and of what this page decided itself. */
  onCase(listener: (event: CaseEvent) => void): () => void {
    this.#caseListeners.add(listener)
    return () => void this.#caseListeners.delete(listener)
  }

  tellCase(event: CaseEvent): void {
    this.cases.apply(event)
    for (const listener of this.#caseListeners) listener(event)
  }

  /** Told when a call has ended, so that lists of past calls ask again. */
  onPast(listener: () => void): () => void {
    this.#pastListeners.add(listener)
    return () => void this.#pastListeners.delete(listener)
  }

  /** The server's wall time, ms. */
  nowMs(): number {
    return Date.now() + this.clockOffsetMs
  }

  #verdict(event: VerdictEvent): void {
    this.store.apply(event)
    for (const listener of this.#verdictListeners) listener(event)
  }

  #connected(state: ConnectionState): void {
    if (state === 'live' && this.connection === 'reconnecting') this.#askAll()
    this.connection = state
    this.#tell()
  }

  #askAll(): void {
    this.#calls.soon()
    this.#liveCases.soon()
  }

  async #askCalls(): Promise<void> {
    const askedAtMs = performance.now()
    try {
      const page = await api.calls({ state: 'live', limit: '1000' })
      this.store.load(page.calls, askedAtMs)
      this.loaded = true
      this.#tell()
    } catch (thrown) {
      this.#failed(thrown)
      throw thrown
    }
  }

  async #askCases(): Promise<void> {
    const askedAtMs = performance.now()
    const live: CaseView[] = []
    try {
      let before: string | null = ''
      while (before !== null && live.length < casesMax) {
        const page: CasePage = await api.cases({ state: 'live', limit: String(casesAPage), before })
        live.push(...page.cases)
        before = page.next ?? null
      }
      this.cases.load(live, askedAtMs, before !== null)
    } catch (thrown) {
      this.cases.failed(problemText(thrown))
      this.#failed(thrown)
      throw thrown
    }
  }

  async #askStatus(): Promise<void> {
    try {
      this.status = await api.status()
      this.clockOffsetMs = Date.parse(this.status.at) - Date.now()
      this.#tell()
    } catch (thrown) {
      this.#failed(thrown)
    }
  }

  async #stillSignedIn(): Promise<boolean> {
    try {
      const { actor } = await api.who()
      if (actor === null) this.onSignedOut()
      return actor !== null
    } catch {
      return true
    }
  }

  #failed(thrown: unknown): void {
    if (thrown instanceof ApiProblem && thrown.status === 401) this.onSignedOut()
  }

  #tellPast(): void {
    for (const listener of this.#pastListeners) listener()
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }
}
