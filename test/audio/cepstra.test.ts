import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { planBands } from '../../src/audio/band-plan.ts'
import { cepstra, dctTable } from '../../src/audio/cepstra.ts'
import { Kernels } from '../../src/audio/kernels.ts'

const kernels = Kernels.load(0)
const { at, run } = kernels

function viaKernel(rows: readonly (readonly number[])[], coefficients: number): Float32Array {
  const bands = rows[0]?.length ?? 0
  const hz = { sampleRateHz: 8000, lowHz: 80, highHz: 3880 }
  const plan = planBands({ ...hz, scale: 'linear', windowSamples: 256, hopSamples: 80, fftSize: 256, bands, floor: 1 })
  kernels.install(plan, dctTable(bands, coefficients))
  kernels.floats.fill(Number.NaN, at.FEATURES / 4, at.DCT / 4)
  kernels.floats.set(rows.flat(), at.FEATURES / 4)
  run.cepstra(at.FEATURES, rows.length, bands, coefficients)
  return kernels.floatsAt(at.FEATURES, rows.length * coefficients).slice()
}

function viaTwin(rows: readonly (readonly number[])[], coefficients: number): Float32Array {
  const bands = rows[0]?.length ?? 0
  const out = new Float32Array(rows.length * coefficients)
  cepstra(dctTable(bands, coefficients), Float32Array.from(rows.flat()), bands, out)
  return out
}

const weight = (k: number, bands: number): number => Math.sqrt((k === 0 ? 1 : 2) / bands)

/** The sum as it stands in books. */
function directSum(bands: readonly number[], k: number): number {
  const sum = bands.reduce((total, value, n) => total + value * Math.cos((Math.PI / bands.length) * (n + 0.5) * k), 0)
  return weight(k, bands.length) * sum
}

/** Log powers from ln 1e-6 (silence, all of it in row 2) to loud. */
function logRows(count: number, bands: number): number[][] {
  const value = (row: number, band: number) => (row === 2 ? -13.8155 : 8 * Math.sin(row * 1.7 + band * band * 0.31) - 5)
  return Array.from({ length: count }, (_, row) => Array.from({ length: bands }, (_, band) => value(row, band)))
}

function assertNear(got: ArrayLike<number>, expected: readonly number[], tolerance: number): void {
  assert.equal(got.length, expected.length)
  for (const [i, value] of expected.entries()) {
    assert(Math.abs((got[i] ?? Number.NaN) - value) < tolerance, `${i}: ${got[i]}, expected ${value}`)
  }
}

describe('cepstra', () => {
  it('are those of SciPy: dct([1, 2, 3, 4], type=2, norm="ortho")', () => {
    const expected = [5, -2.2304425, 0, -0.15851267]
    assertNear(viaTwin([[1, 2, 3, 4]], 4), expected, 1e-6)
    assertNear(viaKernel([[1, 2, 3, 4]], 4), expected, 1e-6)
  })

  const shapes = [
    [13, 60, 20],
    [50, 60, 60],
    [4, 24, 13],
    [7, 33, 1],
    [50, 128, 128],
  ] as const
  for (const [frames, bands, coefficients] of shapes) {
    it(`are the direct sum, by twin and by kernel: ${coefficients} of ${bands}, ${frames} frames`, () => {
      const rows = logRows(frames, bands)
      const expected = rows.flatMap((row) => Array.from({ length: coefficients }, (_, k) => directSum(row, k)))
      const twin = viaTwin(rows, coefficients)
      assertNear(twin, expected, 2e-5)
      assertNear(viaKernel(rows, coefficients), [...twin], 1e-4)
    })
  }

  it('lose nothing when all are kept: the inverse gives the bands', () => {
    for (const bands of [60, 41]) {
      const rows = logRows(5, bands)
      const all = viaKernel(rows, bands)
      const back = rows.flatMap((_, row) =>
        Array.from({ length: bands }, (_, n) => {
          const term = (c: number, k: number) => c * weight(k, bands) * Math.cos((Math.PI / bands) * (n + 0.5) * k)
          return all.subarray(row * bands, (row + 1) * bands).reduce((sum, c, k) => sum + term(c, k), 0)
        }),
      )
      assertNear(back, rows.flat(), 1e-4)
    }
  })

  it('refuses more coefficients than bands, and none', () => {
    assert.throws(() => dctTable(60, 61), /coefficients must be 1 to 60 \(bands\), got 61/)
    assert.throws(() => dctTable(60, 0), /got 0/)
  })
})
