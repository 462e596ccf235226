/** The order of a moving list, kept still under a person's hand. Browser. */
import { useRef } from 'preact/hooks'

const reorderMs = 2000

/**
 * Things by key in the order of `sortedKeys`, renewed at most every two seconds and never while busy; newcomers go to
 * the end meanwhile.
 */
export function useSteadyOrder<T>(
  things: ReadonlyMap<string, T>,
  sortedKeys: () => string[],
  busy: { readonly current: boolean },
): T[] {
  const order = useRef<{ atMs: number; keys: string[] }>({ atMs: Number.NEGATIVE_INFINITY, keys: [] })
  const due = performance.now() - order.current.atMs >= reorderMs || order.current.keys.length === 0
  if (due && !busy.current && things.size > 0) order.current = { atMs: performance.now(), keys: sortedKeys() }
  const known = new Set(order.current.keys)
  order.current.keys.push(...[...things.keys()].filter((key) => !known.has(key)))
  return order.current.keys.flatMap((key) => things.get(key) ?? [])
}
