/** What a hop's features are on the whole, in two numbers, to watch whether the input drifts. Voice worker. */

/** Context frames come first, then the hop's, one after the other; what stands behind them (audio) is not looked at. */
export interface FrameLayout {
  readonly width: number
  readonly contextFrames: number
}

const nothing = { lowFeatures: Number.NaN, highFeatures: Number.NaN }

/** Means over the hop's frames that are speech, of the lower and the upper half of a frame; NaN without speech. */
export function speechMeans(
  features: Float32Array,
  speech: Float32Array,
  layout: FrameLayout | undefined,
): { lowFeatures: number; highFeatures: number } {
  if (layout === undefined) return nothing
  const { width, contextFrames } = layout
  const half = width >> 1
  let [low, high, frames] = [0, 0, 0]
  for (let frame = 0; frame < speech.length; frame++) {
    if (speech[frame] === 0) continue
    frames += 1
    const at = (contextFrames + frame) * width
    for (let i = 0; i < half; i++) low += features[at + i] ?? 0
    for (let i = half; i < width; i++) high += features[at + i] ?? 0
  }
  if (frames === 0 || half === 0) return nothing
  return { lowFeatures: low / (frames * half), highFeatures: high / (frames * (width - half)) }
}
