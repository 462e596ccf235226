/**
 * Rows that a switch writes apart for one call (INVITE and BYE, CEL events, status callbacks) -> one record. Rows
 * wait by key until the closing row comes, in whatever order they arrive. Bounded: past `holdCallsMax` calls the one
 * that waits longest leaves, mapped as it is or rejected with a code, never silently. A second row of the same kind
 * is a repetition. Any thread; one joiner a source.
 *
 *   INVITE|…|call-1|200|…          waits                     { invite: {…}, bye: {…} }
 *   INVITE|…|call-2|486|…          a call by itself     ->   { invite: {…} }
 *   BYE|…|call-1|200|…             closes call-1
 */
import type { SourceMapping } from './cdr-mapping-schema.ts'
import type { RawRecord } from './cdr-raw.ts'
import { compileCondition, compileFirst, type Getter, type Reading, type ReadOptions, type Test } from './cdr-values.ts'

export type JoinRules = NonNullable<SourceMapping['join']>

/**
 * `alone`: the row is no part of a join. `keyless`: it should be, but says not of which. `complete`: `raw` is all of
 * it.
 */
export type JoinOutcome =
  | { readonly state: 'alone' }
  | { readonly state: 'keyless' }
  | { readonly state: 'held' }
  | { readonly state: 'repeated' }
  | { readonly state: 'complete'; readonly raw: RawRecord }

/** A call whose rows did not all come. `opened`: its opening row is there. */
export interface UnclosedCall {
  readonly raw: RawRecord
  readonly opened: boolean
  readonly rows: readonly string[]
}

interface Waiting {
  readonly rows: Record<string, unknown>
  readonly index: number
  readonly line: number
  readonly sinceMs: number
  badUtf8: boolean
}

export class RowJoiner {
  readonly #rules: JoinRules
  readonly #rows: { name: string; test: Test }[]
  readonly #alone: Test | null
  readonly #key: Getter[]
  readonly #waiting = new Map<string, Waiting>()
  /** Keys of calls that are complete: their late rows are repetitions. */
  #closed = new Set<string>()
  #closedBefore = new Set<string>()

  constructor(rules: JoinRules, options: ReadOptions) {
    this.#rules = rules
    this.#rows = Object.entries(rules.rows).map(([name, when]) => ({ name, test: compileCondition(when, options) }))
    this.#alone = rules.alone === undefined ? null : compileCondition(rules.alone, options)
    this.#key = rules.key.map((paths) => compileFirst(paths, options))
  }

  get waiting(): number {
    return this.#waiting.size
  }

  accept(reading: Reading, nowMs: number, onUnclosed: (call: UnclosedCall) => void): JoinOutcome {
    const name = this.#rows.find(({ test }) => test(reading))?.name
    const key = this.#keyOf(reading)
    if (name === undefined) return { state: 'alone' }
    if (key === null) return { state: 'keyless' }
    const { raw } = reading
    if (this.#alone?.(reading))
      return { state: 'complete', raw: { ...raw, fields: { [name]: treeOf(reading) }, columns: null } }
    if (this.#closed.has(key) || this.#closedBefore.has(key)) return { state: 'repeated' }
    let call = this.#waiting.get(key)
    if (call === undefined) {
      call = { rows: {}, index: raw.index, line: raw.line, sinceMs: nowMs, badUtf8: false }
      this.#waiting.set(key, call)
      if (this.#waiting.size > this.#rules.holdCallsMax) this.#dropOldest(onUnclosed)
    } else if (Object.hasOwn(call.rows, name)) return { state: 'repeated' }
    call.rows[name] = treeOf(reading)
    if (raw.badUtf8) call.badUtf8 = true
    const closed = this.#rules.closes.some((closing) => Object.hasOwn(call.rows, closing))
    if (!closed || !Object.hasOwn(call.rows, this.#rules.opens)) return { state: 'held' }
    this.#waiting.delete(key)
    this.#remember(key)
    return { state: 'complete', raw: asRaw(call) }
  }

  /** Calls that have waited too long leave. */
  expire(nowMs: number, onUnclosed: (call: UnclosedCall) => void): void {
    const oldestMs = nowMs - this.#rules.holdSecondsMax * 1000
    for (const call of this.#waiting.values()) {
      if (call.sinceMs >= oldestMs) return
      this.#dropOldest(onUnclosed)
    }
  }

  /** The input is at its end: what waits will not be completed. */
  flush(onUnclosed: (call: UnclosedCall) => void): void {
    while (this.#waiting.size > 0) this.#dropOldest(onUnclosed)
  }

  #dropOldest(onUnclosed: (call: UnclosedCall) => void): void {
    const [oldest] = this.#waiting
    if (oldest === undefined) return
    const [key, call] = oldest
    this.#waiting.delete(key)
    const rows = Object.keys(call.rows)
    onUnclosed({ raw: asRaw(call), opened: rows.includes(this.#rules.opens), rows })
  }

  #remember(key: string): void {
    if (this.#closed.size >= this.#rules.holdCallsMax) {
      this.#closedBefore = this.#closed
      this.#closed = new Set()
    }
    this.#closed.add(key)
  }

  #keyOf(reading: Reading): string | null {
    let key = ''
    for (const part of this.#key) {
      const text = part(reading)
      if (text === undefined) return null
      key += key === '' ? text : `\u0000${text}`
    }
    return key
  }
}

/** A row of a table becomes a tree, so that `invite.time` reads the same whatever the format. */
function treeOf(reading: Reading): unknown {
  const { columns, fields } = reading.raw
  if (columns === null) return reading.root
  const row = fields as readonly string[]
  const tree: Record<string, string> = {}
  for (const [name, position] of columns) {
    const value = row[position]
    if (value !== undefined) tree[name] = value
  }
  return tree
}

function asRaw(call: Waiting): RawRecord {
  return { index: call.index, line: call.line, fields: call.rows, columns: null, badUtf8: call.badUtf8 }
}
