/**
 * The sliding windows over calls: one module for the live path, `replay` and training. Every call updates the keys it
 * belongs to: its number, the ranges around it (last 3, 4, 5 digits off), the called number, the route, and the route
 * towards its destination prefix. Calls must come in event time (ReorderBuffer sees to it); then the result does not
 * depend on how they were cut into batches. Allocates nothing per call once its tables have grown. Any thread, one
 * owner.
 *
 *   call -> number, range3, range4, range5, called_number, route_destination, route -> newest pane of each
 */

import { NumberPlaces } from '../wire/number-places.ts'
import { digitCount, leadingChars, rangeChars } from '../wire/number-token.ts'
import { CallBacks } from './call-backs.ts'
import type { CallEvent } from './call-event.ts'
import { hashText, mixed, sketchAdd, sketchCount, sketchMerge } from './distinct-sketch.ts'
import { callMarks, RecentCalls } from './recent-calls.ts'
import { RouteBaseline, type Usual } from './route-baseline.ts'
import { SubjectKeys } from './subject-keys.ts'
import { countTail, tailEntropy } from './tail-digits.ts'
import { field, fieldCount, levelCount, type PaneField, tickMs } from './window-panes.ts'

export const keyKinds = ['number', 'range3', 'range4', 'range5', 'called_number', 'route_destination', 'route'] as const
export type KeyKind = (typeof keyKinds)[number]
export const kindOf = Object.fromEntries(keyKinds.map((name, index) => [name, index])) as Record<KeyKind, number>

export interface KeyLimits {
  readonly numbersMax: number
  readonly rangesMax: number
  readonly calledNumbersMax: number
  readonly routesMax: number
  readonly routeDestinationsMax: number
  /** Digits of the called number that make a destination. */
  readonly destinationDigits: number
  /** Calls whose ids are kept to be shown as evidence. */
  readonly recentCallsMax: number
}

export const shortTalkS = 3
export const longTalkS = 600
const sequentialMost = 5
const nearMost = 999
/**
 * What a key has been found to be, in bits beside those of its cases; its next calls are counted accordingly.
 * `suspect`: a number that behaves like one of many of a caller. `repeater`: one that calls a few numbers again and
 * again. `fromAbroad`: a route that brings calls from other countries.
 */
export const keyMarks = { suspect: 1 << 16, repeater: 1 << 17, fromAbroad: 1 << 18 } as const
/** A number needs so many digits before a range of it means anything. */
const rangeDigitsMin = 5

/** What a key's windows hold at one moment. Reused: read it before the next `read`. */
export class WindowView {
  kind = 0
  slot = -1
  /** Newest pane. */
  head = -1
  timeMs = 0
  /** How long the key has been known. */
  ageMs = 0
  /** Per window, the pane fields. */
  readonly sums: readonly Float32Array[] = Array.from({ length: levelCount }, () => new Float32Array(fieldCount))
  /** Different numbers; filled in by `countDistinct`. */
  readonly distinctA = new Float64Array(levelCount)
  readonly distinctB = new Float64Array(levelCount)
  /** Of the last digit, 0 (one digit) to 1 (all ten alike); ranges only. */
  tailEntropy = 0
  /** Routes only; `hours` is 0 elsewhere. */
  readonly usual: Usual = {
    lastAttempts: 0,
    lastBlink: 0,
    hours: 0,
    attempts: 0,
    answered: 0,
    short: 0,
    blink: 0,
    invalid: 0,
    domestic: 0,
    suspect: 0,
  }

  sum(level: number, name: PaneField): number {
    return this.sums[level]![field[name]]!
  }
}

export class CallWindows {
  readonly tables: readonly SubjectKeys[]
  readonly recent: RecentCalls
  /** Slots of the call observed last, by kind; -1 where it has none. */
  readonly slots = new Int32Array(keyKinds.length)
  readonly #destinationDigits: number
  readonly #places: NumberPlaces
  readonly #callBacks = new CallBacks()
  readonly #baselines: readonly (RouteBaseline | null)[]
  readonly #hashes = new Uint32Array(2)
  readonly #scratch = new Uint8Array(1024)
  #fromLo = 0
  #fromHi = 0
  #toLo = 0
  #toHi = 0
  #freshA = false
  #freshB = false

  constructor(limits: KeyLimits, places = new NumberPlaces(null)) {
    this.#places = places
    const { numbersMax, rangesMax, calledNumbersMax, routeDestinationsMax, routesMax } = limits
    this.#destinationDigits = limits.destinationDigits
    this.tables = [
      new SubjectKeys(numbersMax, 64),
      new SubjectKeys(rangesMax, 64),
      new SubjectKeys(rangesMax, 64),
      new SubjectKeys(rangesMax, 64),
      new SubjectKeys(calledNumbersMax, 64),
      new SubjectKeys(routeDestinationsMax, 256),
      new SubjectKeys(routesMax, 256),
    ]
    this.#baselines = keyKinds.map((kind) => (kind.startsWith('route') ? new RouteBaseline() : null))
    this.recent = new RecentCalls(limits.recentCallsMax, keyKinds.length)
  }

  /** Keys that left because their table was full. */
  get evicted(): number {
    return this.tables.reduce((sum, table) => sum + table.evicted, 0)
  }

  get keys(): number {
    return this.tables.reduce((sum, table) => sum + table.size, 0)
  }

  get liveBytes(): number {
    return this.tables.reduce((sum, table) => sum + table.liveBytes, 0)
  }

  observe(event: CallEvent): void {
    const { slots } = this
    slots.fill(-1)
    const tick = Math.floor(event.timeMs / tickMs)
    hashText(event.from, event.from.length, this.#hashes)
    this.#fromLo = this.#hashes[0]!
    this.#fromHi = this.#hashes[1]!
    hashText(event.to, event.to.length, this.#hashes)
    this.#toLo = this.#hashes[0]!
    this.#toHi = this.#hashes[1]!
    this.#callBack(event, tick)
    this.#freshB = this.#enter(kindOf.called_number, this.#toLo, this.#toHi, event, tick)
    this.#freshA = event.from !== '' && this.#enter(kindOf.number, this.#fromLo, this.#fromHi, event, tick)
    const fromDigits = digitCount(event.from)
    if (fromDigits >= rangeDigitsMin + 3) {
      for (let off = 3; off <= 5; off++) {
        if (fromDigits - off < rangeDigitsMin - 1) break
        hashText(event.from, rangeChars(event.from, off), this.#hashes)
        this.#enter(kindOf.range3 + off - 3, this.#hashes[0]!, this.#hashes[1]!, event, tick)
      }
    }
    hashText(event.route, event.route.length, this.#hashes)
    const routeLo = this.#hashes[0]!
    const routeHi = this.#hashes[1]!
    this.#enter(kindOf.route, routeLo, routeHi, event, tick)
    hashText(event.to, leadingChars(event.to, this.#destinationDigits), this.#hashes)
    const destinationLo = this.#hashes[0]!
    const destination = kindOf.route_destination
    this.#enter(destination, mixed(routeLo ^ destinationLo), mixed(routeHi + this.#hashes[1]!), event, tick)
    this.#count(event, destinationLo)
  }

  /** Finds or makes the key and opens its pane. @returns whether it had no call within 24 h. */
  #enter(kind: number, lo: number, hi: number, event: CallEvent, tick: number): boolean {
    const table = this.tables[kind]!
    const slot = table.touch(lo, hi, event.timeMs)
    this.slots[kind] = slot
    const head = table.pool.advance(table.head[slot]!, tick)
    table.head[slot] = head
    if (table.lastMs[slot] === Number.NEGATIVE_INFINITY) this.#baselines[kind]?.reset(slot, event.timeMs)
    table.pane(slot, tick, true)
    return head < 0
  }

  /** Adds the call to the open pane of each of its keys. */
  #count(event: CallEvent, destinationLo: number): void {
    const caller = this.#marksOf(kindOf.number)
    const suspect = (caller & keyMarks.suspect) !== 0
    // What blinks is told from its blinks, what calls the same few again and again is a test, what is suspect a robot.
    const counts = !event.blink && (caller & (keyMarks.repeater | keyMarks.suspect)) === 0
    const impossible = counts && event.fromInvalid
    const homeAbroad = counts && event.domestic && (this.#marksOf(kindOf.route) & keyMarks.fromAbroad) !== 0
    const marks = marksOf(event) | (suspect ? callMarks.suspect : 0) | (homeAbroad ? callMarks.homeAbroad : 0)
    const call = this.recent.add(event.id, event.timeMs, marks)
    const short = event.answered && event.talkS <= shortTalkS
    const toNumber = this.#places.position(event.to)
    const fromDigit = this.#places.lastDigit(event.from)
    for (let kind = 0; kind < this.slots.length; kind++) {
      const slot = this.slots[kind]!
      if (slot < 0) continue
      const table = this.tables[kind]!
      const { pool } = table
      const pane = table.head[slot]!
      const at = pane * fieldCount
      const { sums } = pool
      this.#countOutcome(sums, at, event, short)
      if (suspect) bump(sums, at + field.suspectA, 1)
      if (impossible) bump(sums, at + field.impossibleA, 1)
      if (homeAbroad) bump(sums, at + field.homeAbroad, 1)
      const gapS = (event.timeMs - table.lastMs[slot]!) / 1000
      if (gapS < 86_400) {
        bump(sums, at + field.gapSum, gapS)
        bump(sums, at + field.gapSquares, gapS * gapS)
      }
      const step = Math.abs(toNumber - table.lastB[slot]!)
      if (step > 0 && step <= nearMost) bump(sums, at + field.nearB, 1)
      if (step > 0 && step <= sequentialMost) bump(sums, at + field.sequentialB, 1)
      table.lastB[slot] = toNumber
      table.lastMs[slot] = event.timeMs
      const bit = destinationLo & 63
      const word = slot * 2 + (bit >> 5)
      const flag = 1 << (bit & 31)
      if ((table.destinations[word]! & flag) === 0) {
        table.destinations[word] = table.destinations[word]! | flag
        bump(sums, at + field.newDestinations, 1)
      }
      const sketch = pane * pool.sketchStride
      if (event.from !== '') sketchAdd(pool.sketches, sketch, pool.registers, this.#fromLo, this.#fromHi)
      sketchAdd(pool.sketches, sketch + (pool.sketchStride >> 1), pool.registers, this.#toLo, this.#toHi)
      if (kind >= kindOf.range3 && kind <= kindOf.range5) countTail(table.tailDigits, slot * 10, fromDigit)
      this.#baselines[kind]?.add(slot, event.timeMs, event.answered, short, suspect, event)
      this.recent.link(call, kind, table.lastCall[slot]!)
      table.lastCall[slot] = call
    }
  }

  #countOutcome(sums: Float32Array, at: number, event: CallEvent, short: boolean): void {
    bump(sums, at + field.attempts, 1)
    if (event.answered) {
      bump(sums, at + field.answered, 1)
      bump(sums, at + field.talkSum, event.talkS)
      bump(sums, at + field.talkSquares, event.talkS * event.talkS)
      if (short) bump(sums, at + field.shortTalk, 1)
      if (event.talkS >= longTalkS) bump(sums, at + field.longCalls, 1)
    } else {
      if (event.blink) this.#countBlink(sums, at, event)
      if (event.networkFailed) bump(sums, at + field.networkFailed, 1)
      else if (event.releasedByCaller) this.#countCancel(sums, at, event)
      else if (event.releasedByCallee) bump(sums, at + field.calleeReject, 1)
    }
    if (this.#freshA) bump(sums, at + field.freshA, 1)
    if (this.#freshB) bump(sums, at + field.freshB, 1)
    if (event.fromInvalid) bump(sums, at + field.invalidA, 1)
    if (event.foreign) {
      bump(sums, at + field.foreign, 1)
      if (event.talkS >= longTalkS) bump(sums, at + field.foreignLong, 1)
    } else if (event.domestic) bump(sums, at + field.domestic, 1)
    if (event.ringS >= 0) {
      bump(sums, at + field.ringCount, 1)
      bump(sums, at + field.ringSum, event.ringS)
      bump(sums, at + field.ringSquares, event.ringS * event.ringS)
    }
  }

  #countCancel(sums: Float32Array, at: number, event: CallEvent): void {
    bump(sums, at + field.callerCancel, 1)
    const ringS = event.ringS >= 0 ? event.ringS : event.holdS
    if (!(ringS >= 0)) return
    bump(sums, at + field.cancelRingSum, ringS)
    bump(sums, at + field.cancelRingSquares, ringS * ringS)
  }

  #countBlink(sums: Float32Array, at: number, event: CallEvent): void {
    bump(sums, at + field.blink, 1)
    if (this.#freshA) bump(sums, at + field.blinkFreshA, 1)
    const ringS = event.ringS >= 0 ? event.ringS : event.holdS
    bump(sums, at + field.blinkRingSum, ringS)
    bump(sums, at + field.blinkRingSquares, ringS * ringS)
  }

  /**
   * The slot of a key that a subject names, made when it has none; `text` is the digits of a number or range, a route,
   * or `route>digits`.
   */
  slotOf(kind: number, text: string, nowMs: number): number {
    const table = this.tables[kind]!
    const [lo, hi] = this.#hashOf(kind, text)
    const slot = table.find(lo, hi)
    return slot >= 0 ? slot : table.touch(lo, hi, nowMs)
  }

  /** As `slotOf`; -1 when the key is not known. */
  find(kind: number, text: string): number {
    const [lo, hi] = this.#hashOf(kind, text)
    return this.tables[kind]!.find(lo, hi)
  }

  #hashOf(kind: number, text: string): readonly [number, number] {
    const at = kind === kindOf.route_destination ? text.lastIndexOf('>') : text.length
    hashText(text, at, this.#hashes)
    const [lo, hi] = [this.#hashes[0]!, this.#hashes[1]!]
    if (kind !== kindOf.route_destination) return [lo, hi]
    hashText(text.slice(at + 1), text.length - at - 1, this.#hashes)
    return [mixed(lo ^ this.#hashes[0]!), mixed(hi + this.#hashes[1]!)]
  }

  /** Marks a key by what it has done so far, which its next calls are counted by: on their ranges and routes, too. */
  mark(kind: number, slot: number, marks: number): void {
    const { caseBits } = this.tables[kind]!
    caseBits[slot] = (caseBits[slot]! & 0xffff) | marks
  }

  /** Marks of the key that the call observed last has. */
  #marksOf(kind: number): number {
    const slot = this.slots[kind]!
    return slot < 0 ? 0 : this.tables[kind]!.caseBits[slot]!
  }

  /** A number that was called without a conversation calls back: counts for whoever had called it. */
  #callBack(event: CallEvent, tick: number): void {
    if (event.from === '') return
    if (this.#callBacks.called(this.#toLo, this.#fromLo, this.#fromHi, event.timeMs)) {
      this.#creditCallBack(kindOf.number, this.#toLo, this.#toHi, event, tick)
      const toDigits = digitCount(event.to)
      for (let off = 3; off <= 5 && toDigits - off >= rangeDigitsMin - 1; off++) {
        hashText(event.to, rangeChars(event.to, off), this.#hashes)
        this.#creditCallBack(kindOf.range3 + off - 3, this.#hashes[0]!, this.#hashes[1]!, event, tick)
      }
    }
    if (!event.answered) this.#callBacks.remember(this.#fromLo, this.#toLo, this.#toHi, event.timeMs)
  }

  #creditCallBack(kind: number, lo: number, hi: number, event: CallEvent, tick: number): void {
    const table = this.tables[kind]!
    const slot = table.find(lo, hi)
    if (slot < 0) return
    const pane = table.pane(slot, tick, true)
    bump(table.pool.sums, pane * fieldCount + field.callbacks, 1)
    bump(table.pool.sums, pane * fieldCount + field.callbackTalk, event.talkS)
  }

  /** What the windows of a key hold at `timeMs`. */
  read(kind: number, slot: number, timeMs: number, view: WindowView): void {
    const table = this.tables[kind]!
    const { pool } = table
    const head = table.pane(slot, Math.floor(timeMs / tickMs), false)
    view.kind = kind
    view.slot = slot
    view.timeMs = timeMs
    view.ageMs = timeMs - table.firstMs[slot]!
    view.head = head
    let pane = head
    for (let level = 0; level < levelCount; level++) {
      const sums = view.sums[level]!
      if (level === 0) sums.fill(0)
      else sums.set(view.sums[level - 1]!)
      for (; pane >= 0 && pool.level[pane]! <= level; pane = pool.next[pane]!) {
        const at = pane * fieldCount
        for (let i = 0; i < fieldCount; i++) sums[i] = sums[i]! + pool.sums[at + i]!
      }
    }
    view.tailEntropy = tailEntropy(table.tailDigits, slot * 10)
    const baseline = this.#baselines[kind]
    if (baseline) baseline.usual(slot, timeMs, view.usual)
    else view.usual.hours = 0
  }

  /**
   * Counts different numbers in the windows up to `level` of a view just read: dearer than all else, so only on
   * demand.
   */
  countDistinct(view: WindowView, level: number): void {
    const { pool } = this.tables[view.kind]!
    const bytes = pool.sketchStride
    const scratch = this.#scratch
    scratch.fill(0, 0, bytes)
    for (let pane = view.head; pane >= 0 && pool.level[pane]! <= level; pane = pool.next[pane]!) {
      sketchMerge(scratch, 0, pool.sketches, pane * bytes, pool.registers * 2)
    }
    view.distinctA[level] = sketchCount(scratch, 0, pool.registers)
    view.distinctB[level] = sketchCount(scratch, bytes >> 1, pool.registers)
  }

  /** Ids of the newest calls of a key that bear one of `marks`, newest first. */
  evidence(kind: number, slot: number, marks: number, sinceMs: number, idsMax: number): string[] {
    return this.recent.ids(this.tables[kind]!.lastCall[slot]!, kind, marks, sinceMs, idsMax)
  }
}

function marksOf(event: CallEvent): number {
  let marks = event.answered ? callMarks.answered : callMarks.quiet
  if (event.blink) marks |= callMarks.blink
  if (event.answered && event.talkS <= shortTalkS) marks |= callMarks.short
  if (event.answered && event.talkS >= longTalkS) marks |= callMarks.long
  if (event.fromInvalid) marks |= callMarks.invalid
  if (event.foreign && event.talkS >= longTalkS) marks |= callMarks.toll
  return marks
}

function bump(sums: Float32Array, at: number, by: number): void {
  sums[at] = sums[at]! + by
}
