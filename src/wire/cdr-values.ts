/**
 * Paths, texts and conditions of a mapping, compiled once into small functions that read a raw record. A path names a
 * column (`start`, `#3` for the third), a header (`Caller-ANI`), a place in a tree (`callflow[0].times.answered_time`,
 * `a."b.c"`), or with `$` a value worked out before (`$leg`, and what `let` names). Any thread.
 */

import { foldName } from './cdr-decode-csv.ts'
import type { Condition, Matcher, TextSource } from './cdr-mapping-schema.ts'
import { decodePercent, type RawRecord } from './cdr-raw.ts'

/** One record under work: the raw one and what has been worked out of it. */
export interface Reading {
  readonly raw: RawRecord
  /** Where paths begin: the record, or the part of it that `input.record` names. */
  root: unknown
  readonly variables: Record<string, string | undefined>
}

export interface ReadOptions {
  readonly foldNames: boolean
  readonly percentValues: boolean
}

export type Getter = (reading: Reading) => string | undefined
export type Test = (reading: Reading) => boolean

type Step = string | number

/** `callflow[0].times."a.b"` -> steps. */
export function splitPath(path: string): Step[] {
  const steps: Step[] = []
  for (const [, quoted, position, plain] of path.matchAll(/"([^"]*)"|\[(\d+)\]|([^.[\]"]+)/g)) {
    if (position !== undefined) steps.push(Number(position))
    else steps.push(quoted ?? plain ?? '')
  }
  return steps
}

/** The text at a path; empty and absent are the same. */
export function compilePath(path: string, options: ReadOptions): Getter {
  if (path.startsWith('$')) {
    const name = path.slice(1)
    return (reading) => reading.variables[name]
  }
  const column = options.foldNames ? foldName(path) : path
  const position = /^#\d+$/.test(path) ? Number(path.slice(1)) - 1 : -1
  const steps = splitPath(path)
  // Rows of one file share their columns: a name is looked up once per file, not once per row.
  let columnsBefore: ReadonlyMap<string, number> | null = null
  let at = -1
  return (reading) => {
    const { columns } = reading.raw
    let value: unknown
    if (columns === null) {
      value = walk(reading.root, steps)
    } else {
      if (columns !== columnsBefore) {
        columnsBefore = columns
        at = position >= 0 ? position : (columns.get(column) ?? -1)
      }
      if (at < 0) return undefined
      value = (reading.raw.fields as readonly string[])[at]
    }
    const text = textOf(value)
    return options.percentValues && text?.includes('%') ? decodePercent(text, false).text : text
  }
}

/** The value at the steps; a list stands for its first element unless a step picks one. */
export function walk(root: unknown, steps: readonly Step[]): unknown {
  let value = root
  for (const step of steps) {
    if (typeof value !== 'object' || value === null) return undefined
    if (Array.isArray(value)) value = typeof step === 'number' ? value[step] : own(value[0], step)
    else if (step !== 0) value = own(value, step)
  }
  return value
}

function own(value: unknown, key: Step): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
  return (value as Record<Step, unknown>)[key]
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value.trim() || undefined
  if (typeof value === 'number') return Number.isFinite(value) ? plainNumber(value) : undefined
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  if (Array.isArray(value)) return textOf(value[0])
  if (typeof value === 'object' && value !== null) return textOf((value as Record<string, unknown>)['#text'])
  return undefined
}

/** Without exponent: 1e21 and 1e-7 are no times or numbers of a switch, but must not read as 1. */
function plainNumber(value: number): string {
  const text = String(value)
  return text.includes('e') ? value.toFixed(6) : text
}

/** The first of the sources that has a value. */
export function compileText(sources: readonly TextSource[], options: ReadOptions): Getter {
  const getters = sources.map((source) => compileSource(source, options))
  if (getters.length === 1 && getters[0] !== undefined) return getters[0]
  return (reading) => {
    for (const getter of getters) {
      const text = getter(reading)
      if (text !== undefined) return text
    }
    return undefined
  }
}

function compileSource(source: TextSource, options: ReadOptions): Getter {
  const getter = compileUnconditional(source, options)
  const when = 'when' in source && source.when !== undefined ? compileCondition(source.when, options) : null
  return when === null ? getter : (reading) => (when(reading) ? getter(reading) : undefined)
}

function compileUnconditional(source: TextSource, options: ReadOptions): Getter {
  if ('const' in source) return () => source.const
  if ('join' in source) {
    const parts = source.join.map((path) => compilePath(path, options))
    return (reading) => {
      const texts = parts.map((part) => part(reading)).filter((text) => text !== undefined)
      return texts.length === 0 ? undefined : texts.join(source.with)
    }
  }
  const first = compileFirst(source.from, options)
  if (!('match' in source) && !('map' in source) && !('otherwise' in source)) return first
  const pattern = source.match === undefined ? null : new RegExp(source.match)
  const map = source.map === undefined ? null : new Map(Object.entries(source.map))
  return (reading) => {
    let text = first(reading)
    if (text !== undefined && pattern !== null) {
      const match = pattern.exec(text)
      text = match === null ? undefined : match[1] || (match.length === 1 ? match[0] : undefined)
    }
    if (text !== undefined && map !== null) text = map.get(text)
    return text ?? source.otherwise
  }
}

/** The first path that has a value. */
export function compileFirst(paths: readonly string[], options: ReadOptions): Getter {
  const getters = paths.map((path) => compilePath(path, options))
  if (getters.length === 1 && getters[0] !== undefined) return getters[0]
  return (reading) => {
    for (const getter of getters) {
      const text = getter(reading)
      if (text !== undefined) return text
    }
    return undefined
  }
}

/** All of the paths must match. */
export function compileCondition(condition: Condition, options: ReadOptions): Test {
  const tests = Object.entries(condition).map(([path, matcher]) => {
    const getter = compilePath(path, options)
    const matches = compileMatcher(matcher, options)
    return (reading: Reading) => matches(getter(reading), reading)
  })
  return (reading) => tests.every((test) => test(reading))
}

function compileMatcher(
  matcher: Matcher,
  options: ReadOptions,
): (text: string | undefined, reading: Reading) => boolean {
  if (Array.isArray(matcher)) {
    const values = new Set(matcher)
    return (text) => text !== undefined && values.has(text)
  }
  if ('not' in matcher) {
    const values = new Set(matcher.not)
    return (text) => text === undefined || !values.has(text)
  }
  if ('present' in matcher) return (text) => (text !== undefined) === matcher.present
  if ('matches' in matcher) {
    const pattern = new RegExp(matcher.matches)
    return (text) => text !== undefined && pattern.test(text)
  }
  const other = compilePath('same' in matcher ? matcher.same : matcher.differs, options)
  const wanted = 'same' in matcher
  return (text, reading) => {
    const beside = other(reading)
    return text !== undefined && beside !== undefined && (text === beside) === wanted
  }
}

type Rule = { readonly when: Condition; readonly is: string } | { readonly otherwise: string }

/** The verdict of the first rule that holds. */
export function compileRules(rules: readonly Rule[], options: ReadOptions): Getter {
  const compiled = rules.map((rule) =>
    'when' in rule
      ? { test: compileCondition(rule.when, options), verdict: rule.is }
      : { test: () => true, verdict: rule.otherwise },
  )
  return (reading) => {
    for (const rule of compiled) if (rule.test(reading)) return rule.verdict
    return undefined
  }
}
