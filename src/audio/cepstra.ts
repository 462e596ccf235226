/**
 * Cepstral coefficients of log band powers, the plain twin of wasm/cepstra.ts and the table both read: the first rows
 * of the orthonormal DCT-II, so that keeping all of them loses nothing. On mel bands these are MFCC (Davis and
 * Mermelstein 1980, there without the scaling), on linear bands LFCC (Sahidullah, Kinnunen and Hanilçi 2015). Pure
 * functions; the twin adds in double precision.
 *
 *   c[k] = w[k] x sum over b of bands[b] cos(pi k (b + 1/2) / B)     w[0] = sqrt(1 / B), else sqrt(2 / B)
 */
import { strict as assert } from 'node:assert'

/** [coefficients, bands] w[k] cos(pi k (b + 1/2) / B). */
export function dctTable(bands: number, coefficients: number): Float32Array {
  assert(coefficients >= 1 && coefficients <= bands, `coefficients must be 1 to ${bands} (bands), got ${coefficients}`)
  return Float32Array.from({ length: coefficients * bands }, (_, i) => {
    const k = Math.floor(i / bands)
    return Math.sqrt((k === 0 ? 1 : 2) / bands) * Math.cos((Math.PI * k * ((i % bands) + 0.5)) / bands)
  })
}

/** Rows of `bands` values -> as many rows of coefficients in `out`. */
export function cepstra(table: Float32Array, rows: Float32Array, bands: number, out: Float32Array): void {
  const coefficients = table.length / bands
  for (let i = 0; i < out.length; i += 1) {
    const row = Math.floor(i / coefficients) * bands
    const cosines = (i % coefficients) * bands
    let sum = 0
    for (let band = 0; band < bands; band += 1) sum += rows[row + band]! * table[cosines + band]!
    out[i] = sum
  }
}
