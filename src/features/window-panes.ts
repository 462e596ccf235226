/**
 * Sliding windows as a short chain of mergeable panes per key. A call is added to the newest pane only; panes grow
 * coarser as they age and merge, so a key that is busy all day holds at most 17 panes and one that called once holds
 * one. Deterministic: what a window holds depends on event times alone, not on when or how often it was read. Any
 * thread, one owner.
 *
 *   level   pane     window (4 panes, the newest one open)
 *     0     15 s     1 min          <---------------------- time ----------------------
 *     1     150 s    10 min         key -> [0][0][0][0][1  ][1  ][1  ][2        ] ... [3              ]
 *     2     15 min   1 h                    newest, open                              oldest
 *     3     6 h      24 h
 *
 * At time t a window of level l holds the events with floor(time / pane) > floor(t / pane) - 4, which is between 3/4 of
 * its width and all of it. The panes of a level nest in those of the next, so a pane never straddles a window's edge:
 * a pane of level k lies in every window of level >= k.
 */
import { sketchBytes, sketchMerge } from './distinct-sketch.ts'
import { grownBytes, grownFloats, grownInts } from './typed-growth.ts'

/** Seconds of the finest pane: the tick of all times here. */
export const tickMs = 15_000
/** Ticks per pane of each level: 15 s, 150 s, 15 min, 6 h. */
export const levelTicks = [1, 10, 60, 1440] as const
export const levelCount = 4
export const panesPerWindow = 4
/** Four per level, and one between the first level and what the next call opens. */
export const panesPerKeyMax = 17

/** What a pane counts. Sums are in seconds. */
export const paneFields = [
  'attempts',
  'answered',
  'shortTalk', // answered, talked at most 3 s
  'blink', // over before anybody could answer: see call-windows.ts
  'callerCancel', // not answered, released by the caller
  'calleeReject', // not answered, released by the called side
  'networkFailed',
  'freshA', // the calling number's first attempt in 24 h
  'freshB', // the called number's first attempt in 24 h
  'sequentialB', // called number at most 5 away from the one before
  'invalidA', // a calling number that cannot be
  'longCalls', // talked 10 minutes or more
  'callbacks', // a number called shortly before calls back
  'newDestinations', // first call of this key to a destination prefix
  'ringCount',
  'ringSum',
  'ringSquares',
  'talkSum',
  'talkSquares',
  'gapSum', // between the attempts of this key
  'gapSquares',
  'callbackTalk',
  'foreign', // calling and called number have other country codes
  'foreignLong', // of those, the ones that talked 10 minutes or more
  'domestic', // the same one
  'nearB', // called number other than the one before, less than 1000 away: the same range
  'suspectA', // the calling number was marked: see CallWindows.suspect
  'blinkFreshA', // blinks of numbers not seen in 24 h
  'blinkRingSum',
  'blinkRingSquares',
  'impossibleA', // calling numbers that cannot be, of calls that were no blinks
  'cancelRingSum', // of calls that the caller gave up: how long they rang, or lasted where that is not told
  'cancelRingSquares',
  'homeAbroad', // home numbers on a route that brings calls from abroad: see CallWindows.mark; no blinks
] as const
export type PaneField = (typeof paneFields)[number]
export const fieldCount = paneFields.length
export const field = Object.fromEntries(paneFields.map((name, index) => [name, index])) as Record<PaneField, number>

export class PanePool {
  readonly registers: number
  readonly sketchStride: number
  readonly panesMax: number
  sums: Float32Array
  /** Two sketches a pane: distinct A, distinct B. */
  sketches: Uint8Array
  next: Int32Array
  startTick: Int32Array
  level: Uint8Array
  inUse = 0
  #capacity: number
  #free = -1
  readonly #chain = new Int32Array(panesPerKeyMax + 3)

  constructor(panesMax: number, registers: number) {
    this.registers = registers
    this.sketchStride = sketchBytes(registers) * 2
    this.panesMax = panesMax
    this.#capacity = Math.min(panesMax, 1024)
    this.sums = new Float32Array(this.#capacity * fieldCount)
    this.sketches = new Uint8Array(this.#capacity * this.sketchStride)
    this.next = new Int32Array(this.#capacity)
    this.startTick = new Int32Array(this.#capacity)
    this.level = new Uint8Array(this.#capacity)
    this.#chainFree(0)
  }

  /** Bytes of one pane. */
  get paneBytes(): number {
    return fieldCount * 4 + this.sketchStride + 4 + 4 + 1
  }

  hasRoom(): boolean {
    return this.#free >= 0 || this.#capacity < this.panesMax
  }

  /** A pane for `tick` in front of `head`. The caller has seen to it that there is room. */
  open(head: number, tick: number): number {
    if (this.#free < 0) this.#grow()
    const pane = this.#free
    this.#free = this.next[pane]!
    this.sums.fill(0, pane * fieldCount, (pane + 1) * fieldCount)
    this.sketches.fill(0, pane * this.sketchStride, (pane + 1) * this.sketchStride)
    this.next[pane] = head
    this.startTick[pane] = tick
    this.level[pane] = 0
    this.inUse++
    return pane
  }

  releaseAll(head: number): void {
    for (let pane = head; pane >= 0; ) {
      const after = this.next[pane]!
      this.#release(pane)
      pane = after
    }
  }

  /** Ages the chain to `tick`: panes that left a window join the next coarser one; those out of all windows go. */
  advance(head: number, tick: number): number {
    if (head < 0 || this.startTick[head] === tick) return head
    const chain = this.#chain
    let count = 0
    for (let pane = head; pane >= 0; pane = this.next[pane]!) chain[count++] = pane
    let kept = -1
    for (let i = count - 1; i >= 0; i--) {
      const pane = chain[i]!
      const start = this.startTick[pane]!
      let level = this.level[pane]!
      while (level < levelCount && !inWindow(start, tick, level)) level++
      if (level === levelCount) {
        this.#release(pane)
        continue
      }
      this.level[pane] = level
      if (kept >= 0 && this.level[kept] === level && samePane(start, this.startTick[kept]!, level)) {
        this.#merge(kept, pane)
        this.#release(pane)
      } else {
        this.next[pane] = kept
        kept = pane
      }
    }
    return kept
  }

  #merge(target: number, source: number): void {
    const { sums } = this
    const to = target * fieldCount
    const from = source * fieldCount
    for (let i = 0; i < fieldCount; i++) sums[to + i] = sums[to + i]! + sums[from + i]!
    const stride = this.sketchStride
    sketchMerge(this.sketches, target * stride, this.sketches, source * stride, this.registers * 2)
  }

  #release(pane: number): void {
    this.next[pane] = this.#free
    this.#free = pane
    this.inUse--
  }

  #grow(): void {
    const before = this.#capacity
    this.#capacity = Math.min(this.panesMax, before * 2)
    this.sums = grownFloats(this.sums, this.#capacity * fieldCount)
    this.sketches = grownBytes(this.sketches, this.#capacity * this.sketchStride)
    this.next = grownInts(this.next, this.#capacity)
    this.startTick = grownInts(this.startTick, this.#capacity)
    this.level = grownBytes(this.level, this.#capacity)
    this.#chainFree(before)
  }

  #chainFree(from: number): void {
    for (let pane = this.#capacity - 1; pane >= from; pane--) {
      this.next[pane] = this.#free
      this.#free = pane
    }
  }
}

/** Does an event of tick `start` lie in the window of `level` at tick `now`? */
export function inWindow(start: number, now: number, level: number): boolean {
  const ticks = levelTicks[level]!
  return Math.floor(start / ticks) > Math.floor(now / ticks) - panesPerWindow
}

function samePane(a: number, b: number, level: number): boolean {
  const ticks = levelTicks[level]!
  return Math.floor(a / ticks) === Math.floor(b / ticks)
}
