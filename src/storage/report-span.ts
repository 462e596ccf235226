/** A span of time in the reports' SQL: what lies in it, its steps, and how these come back. Pure; main thread. */

export interface Span {
  readonly fromMs: number
  /** Not included. */
  readonly toMs: number
  readonly stepSeconds: number
}

/** Condition over a DateTime64 column; needs `spanParameters`. */
export function within(column: string): string {
  return `${column} >= fromUnixTimestamp64Milli({from:Int64}) AND ${column} < fromUnixTimestamp64Milli({to:Int64})`
}

/** The step that a time lies in, as `at`, seconds since the epoch; needs the parameter `step`. */
export function stepOf(column: string): string {
  return `intDiv(toUnixTimestamp(${column}), {step:Int64}) * {step:Int64} AS at`
}

export function spanParameters(fromMs: number, toMs: number): { readonly from: number; readonly to: number } {
  return { from: Math.floor(fromMs), to: Math.ceil(toMs) }
}

/** Of the seconds that `stepOf` gives. */
export function isoSeconds(seconds: unknown): string {
  return new Date(Number(seconds) * 1000).toISOString()
}
