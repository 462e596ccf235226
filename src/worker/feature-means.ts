/** What a hop's features are on the whole, in two numbers, to watch whether the input drifts. Voice worker. */

/**
 * Means over the frames that are speech, of the lower and the upper half of a frame; NaN without speech.
 * @param features context frames first, then the hop's, one after the other; as many as `speech` has are the hop's
 */
export function speechMeans(
  features: Float32Array,
  speech: Float32Array,
  frameWidth: number,
): { lowFeatures: number; highFeatures: number } {
  const half = frameWidth >> 1
  let [low, high, frames] = [0, 0, 0]
  const firstAt = features.length - speech.length * frameWidth
  for (let frame = 0; frame < speech.length; frame++) {
    if (speech[frame] === 0) continue
    frames += 1
    const at = firstAt + frame * frameWidth
    for (let i = 0; i < half; i++) low += features[at + i] ?? 0
    for (let i = half; i < frameWidth; i++) high += features[at + i] ?? 0
  }
  if (frames === 0 || half === 0) return { lowFeatures: Number.NaN, highFeatures: Number.NaN }
  return { lowFeatures: low / (frames * half), highFeatures: high / (frames * (frameWidth - half)) }
}
