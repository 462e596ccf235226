/**
 * What the kernels say about each frame besides its features: the columns of a row of STATS (wasm/bands.ts). The speech
 * gate and the flags read nothing else of the signal. Powers are natural logarithms of |X|^2 sums, bins are FFT bins.
 */
export const statsPerFrame = 12

export const frameStat = {
  /** ln power of the six sub-bands between `subBandEdgesHz`. */
  subBand: 0,
  /** ln power of all six. */
  power: 6,
  /** Fractional bin of the largest peak, and its share of all power; then the second peak, three bins or more away. */
  peakBin: 7,
  peakShare: 8,
  secondBin: 9,
  secondShare: 10,
} as const

/** Sub-bands of the gate: hum, pitch, first formant, second formant, two of consonants. Telephone band at any rate. */
export const subBandEdgesHz = [93.75, 250, 500, 1000, 2000, 3000, 3875] as const
