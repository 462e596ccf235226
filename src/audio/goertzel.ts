/**
 * The eight DTMF frequencies of ITU-T Q.23, the Goertzel coefficients the kernel uses, and its twin.
 */
export const dtmfRowsHz = [697, 770, 852, 941] as const
export const dtmfColumnsHz = [1209, 1336, 1477, 1633] as const
export const dtmfHz = [...dtmfRowsHz, ...dtmfColumnsHz] as const

/** 2 cos(2 pi f / rate) for the eight, rows first. */
export function goertzelCoefficients(sampleRateHz: number): Float32Array {
  return Float32Array.from(dtmfHz, (hz) => 2 * Math.cos((2 * Math.PI * hz) / sampleRateHz))
}

/** Powers at the eight frequencies over `samples`: (n / 2)^2 for a full-scale sine of n samples. */
export function goertzel(samples: Float32Array, coefficients: Float32Array): Float32Array {
  return coefficients.map((coefficient) => {
    let s1 = 0
    let s2 = 0
    for (const sample of samples) {
      const s0 = sample + coefficient * s1 - s2
      s2 = s1
      s1 = s0
    }
    return s1 * s1 + s2 * s2 - coefficient * s1 * s2
  })
}
