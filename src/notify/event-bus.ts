/**
 * Events for whoever watches (SSE, later webhooks): a bounded ring of the last `keepMax` events, so that a subscriber
 * that was away resumes where it left. Ids only grow, also over restarts when `firstId` comes from the wall clock. A
 * subscriber whose events have left the ring is told so by a `health` event `events_missed`; nothing is missed in
 * silence. Listeners run inside publish and must not block. Main thread.
 *
 *   ring of keepMax = 4      slot = (id - firstId) mod keepMax
 *   ┌─────┬─────┬─────┬─────┐
 *   │ 104 │ 105 │ 102 │ 103 │   firstId 100, newest 105, oldest kept 102
 *   └─────┴─────┴─────┴─────┘   resume after 103: 104, 105; after 100: events_missed, 102 ... 105
 */
import assert from 'node:assert/strict'
import type { Counters } from '../core/metrics.ts'
import type { NumberSpellings } from '../wire/number-spellings.ts'

export const eventTypes = ['verdict', 'case', 'action', 'model', 'health'] as const

export type EventType = (typeof eventTypes)[number]

export interface BusEvent {
  readonly id: number
  readonly type: EventType
  readonly data: object
}

export interface EventBusOptions {
  /** Events kept for resuming. */
  readonly keepMax: number
  /** Id of the first event; wall ms x 1000 leaves room for a million events a second over restarts. */
  readonly firstId: number
  readonly counters: Pick<Counters, 'eventsPublished'>
}

export class EventBus {
  readonly #firstId: number
  readonly #ring: (BusEvent | undefined)[]
  readonly #listeners = new Set<(event: BusEvent) => void>()
  readonly #counters: Pick<Counters, 'eventsPublished'>
  #nextId: number

  constructor(options: EventBusOptions) {
    assert(options.keepMax >= 1)
    assert(Number.isSafeInteger(options.firstId) && options.firstId >= 1)
    this.#firstId = options.firstId
    this.#nextId = options.firstId
    this.#ring = new Array<BusEvent | undefined>(options.keepMax)
    this.#counters = options.counters
  }

  /** @returns the event's id. */
  publish(type: EventType, data: object): number {
    const event: BusEvent = { id: this.#nextId, type, data }
    this.#nextId += 1
    this.#ring[this.#slot(event.id)] = event
    this.#counters.eventsPublished += 1
    for (const listener of this.#listeners) listener(event)
    return event.id
  }

  /**
   * Delivers what came after `afterId` and is still kept, then every new event. Null: only new ones.
   * @returns the way to stop; safe to call twice and from inside the listener.
   */
  subscribe(afterId: number | null, listener: (event: BusEvent) => void): () => void {
    this.#listeners.add(listener)
    if (afterId !== null) {
      this.read(afterId, (event) => {
        listener(event)
        return this.#listeners.has(listener)
      })
    }
    return () => void this.#listeners.delete(listener)
  }

  /**
   * Shows kept events after `afterId`, oldest first, until `visit` answers false. For readers that go at their own
   * pace: they read on after the last id they saw.
   */
  read(afterId: number, visit: (event: BusEvent) => boolean): void {
    const oldestId = Math.max(this.#firstId, this.#nextId - this.#ring.length)
    const unknown = afterId > this.lastId
    if (afterId < oldestId - 1 || unknown) {
      const data = { code: 'events_missed', afterId, resumedAtId: unknown ? this.#nextId : oldestId }
      if (!visit({ id: unknown ? this.lastId : oldestId - 1, type: 'health', data })) return
    }
    if (unknown) return
    for (let id = Math.max(afterId + 1, oldestId); id < this.#nextId; id++) {
      const event = this.#ring[this.#slot(id)]
      assert(event !== undefined && event.id === id, 'a kept event stands in its slot')
      if (!visit(event)) return
    }
  }

  /** Forgets a number in what is kept. @returns events that held it */
  erase(spellings: NumberSpellings): number {
    let count = 0
    for (const [slot, event] of this.#ring.entries()) {
      const data = event === undefined ? undefined : spellings.scrubValue(event.data)
      if (event === undefined || data === undefined || data === event.data) continue
      this.#ring[slot] = { ...event, data }
      count += 1
    }
    return count
  }

  /** Id of the newest event, or one below the first when there was none. */
  get lastId(): number {
    return this.#nextId - 1
  }

  #slot(id: number): number {
    return (id - this.#firstId) % this.#ring.length
  }
}
