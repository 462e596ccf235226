/** Reports leave out steps in which nothing happened; charts and figures need them. Pure. Browser. */

export interface Step<T> {
  readonly atMs: number
  /** null: nothing happened in this step. */
  readonly point: T | null
}

/** A span of so many steps is drawn; a longer one is cut at its end. */
const stepsMax = 3000

/** Every step from the one that holds `fromMs` to the last that begins before `toMs`. */
export function evenSteps<T extends { readonly at: string }>(
  points: readonly T[],
  stepMs: number,
  fromMs: number,
  toMs: number,
): Step<T>[] {
  const stepOf = (ms: number) => Math.floor(ms / stepMs)
  const known = new Map(points.map((point) => [stepOf(Date.parse(point.at)), point]))
  const first = stepOf(fromMs)
  const count = Math.min(stepsMax, Math.max(0, Math.ceil(toMs / stepMs) - first))
  return Array.from({ length: count }, (_, at) => ({
    atMs: (first + at) * stepMs,
    point: known.get(first + at) ?? null,
  }))
}

/** `14:05`, and at longer spans the day as well. */
export function stepTime(ms: number, spanMs: number): string {
  const date = new Date(ms)
  const clock = date.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit', hour12: false })
  if (spanMs <= 36 * 3_600_000) return clock
  const day = date.toLocaleDateString(undefined, { day: 'numeric', month: 'short' })
  return spanMs <= 4 * 86_400_000 ? `${day} ${clock}` : day
}
