/** Quantiles of small lists. Pure; any thread. */

/**
 * Of ascending values, in a straight line between neighbours (Hyndman and Fan, The American Statistician 50, 1996, type
 * 7); null of nothing.
 * @param share 0..1
 */
export function quantile(sorted: readonly number[], share: number): number | null {
  if (sorted.length === 0) return null
  const place = share * (sorted.length - 1)
  const below = sorted[Math.floor(place)]!
  const above = sorted[Math.ceil(place)]!
  return below + (place - Math.floor(place)) * (above - below)
}
