/**
 * The door to the kernels binary (dist/wasm/kernels.wasm, sources in wasm/): the only importer of `WebAssembly`. An
 * instance owns one fixed memory: tables and scratch, then as many bytes of slots as its owner asked for. Exports are
 * checked by name and kind when the module is first loaded, so a stale binary cannot start. Everything is synchronous
 * and meant for one thread; views are made once and stay valid because the memory never grows.
 */
import { strict as assert } from 'node:assert'
import { readFileSync } from 'node:fs'
import { projectRoot } from '../core/project.ts'
import type { BandPlan } from './band-plan.ts'
import { statsPerFrame } from './frame-stats.ts'
import { aLawToLinear } from './g711.ts'
import { goertzelCoefficients } from './goertzel.ts'
import { interpolatorTaps, tapsPerPhase } from './resample.ts'

/** The part of the WebAssembly interface that is used: the Node typings leave it to the DOM's. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array)
    static exports(module: Module): { name: string; kind: string }[]
  }
  class Memory {
    constructor(limits: { initial: number; maximum: number })
    readonly buffer: ArrayBuffer
  }
  class Instance {
    constructor(module: Module, imports: { env: { memory: Memory } })
    readonly exports: Record<string, unknown>
  }
}

/** The binary's functions. Arguments ending in no unit are byte offsets into the memory; counts are in elements. */
export interface KernelFunctions {
  move(target: number, source: number, bytes: number): void
  fill(target: number, value: number, bytes: number): void
  scanMedia(count: number, sequenceNumberMax: number, timestampMsMax: number): number
  base64Decode(source: number, count: number, target: number): number
  muLawToFloat(source: number, target: number, count: number): void
  aLawToFloat(source: number, target: number, count: number): void
  fullScalePairs(source: number, count: number): number
  upsample2(source: number, count: number, target: number): void
  goertzel(source: number, count: number): void
  analyse(
    samples: number,
    windowSamples: number,
    hopSamples: number,
    fftSize: number,
    frames: number,
    bands: number,
    floor: number,
    features: number,
  ): void
  cepstra(rows: number, frames: number, bands: number, coefficients: number): void
}

/** Names of the functions, for the check at load (and the test of the binary's shape). */
export const kernelFunctionNames = [
  'move',
  'fill',
  'scanMedia',
  'base64Decode',
  'muLawToFloat',
  'aLawToFloat',
  'fullScalePairs',
  'upsample2',
  'goertzel',
  'analyse',
  'cepstra',
] as const satisfies readonly (keyof KernelFunctions)[]

/** Places and capacities, exported by the binary so that nobody repeats them. See wasm/memory-map.ts. */
export const kernelPlaceNames = [
  'TEXT',
  'MEDIA',
  'BYTES',
  'A_LAW',
  'TAPS',
  'GOERTZEL',
  'EDGES',
  'WINDOW',
  'TWIDDLE',
  'BANDS',
  'WEIGHTS',
  'POWER',
  'STATS',
  'SPEECH',
  'NARROW',
  'WIDE',
  'FEATURES',
  'DCT',
  'SLOTS',
  'TEXT_CHARS_MAX',
  'BYTES_MAX',
  'FFT_MAX',
  'BANDS_MAX',
  'WEIGHTS_MAX',
  'FEATURE_ROWS_MAX',
  'FRAMES_MAX',
  'NARROW_SAMPLES_MAX',
  'WIDE_SAMPLES_MAX',
  'STATS_PER_FRAME',
  'TAPS_PER_PHASE',
] as const

export type KernelPlaces = Readonly<Record<(typeof kernelPlaceNames)[number], number>>

const pageBytes = 65536

/** What the module's own declaration asks for: tables and scratch end inside the fourth page (checked at load). */
const scratchPages = 4
let compiled: WebAssembly.Module | undefined

function kernelModule(): WebAssembly.Module {
  if (compiled) return compiled
  const module = new WebAssembly.Module(readFileSync(`${projectRoot}dist/wasm/kernels.wasm`))
  const kinds = new Map(WebAssembly.Module.exports(module).map(({ name, kind }) => [name, kind]))
  for (const name of kernelFunctionNames) assert.equal(kinds.get(name), 'function', `kernels.wasm: function ${name}`)
  for (const name of kernelPlaceNames) assert.equal(kinds.get(name), 'global', `kernels.wasm: constant ${name}`)
  compiled = module
  return module
}

export class Kernels {
  readonly run: KernelFunctions
  readonly at: KernelPlaces
  readonly buffer: ArrayBuffer
  readonly bytes: Uint8Array
  readonly words: Int32Array
  readonly floats: Float32Array

  private constructor(run: KernelFunctions, at: KernelPlaces, buffer: ArrayBuffer) {
    this.run = run
    this.at = at
    this.buffer = buffer
    this.bytes = new Uint8Array(buffer)
    this.words = new Int32Array(buffer)
    this.floats = new Float32Array(buffer)
  }

  /** A new instance with `slotBytes` of memory behind the scratch. */
  static load(slotBytes: number): Kernels {
    const module = kernelModule()
    const pages = scratchPages + Math.ceil(slotBytes / pageBytes)
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages })
    const { exports } = new WebAssembly.Instance(module, { env: { memory } })
    const kernels = new Kernels(exports as unknown as KernelFunctions, placesOf(exports), memory.buffer)
    kernels.#writeTables()
    return kernels
  }

  /** A view of `length` floats at byte offset `at`. */
  floatsAt(at: number, length: number): Float32Array {
    return new Float32Array(this.buffer, at, length)
  }

  /** Writes a feature definition's tables. One at a time; `analyse` then follows it, and `cepstra` its `dct`. */
  install(plan: BandPlan, dct: Float32Array = new Float32Array(0)): void {
    const { spec } = plan
    assert(spec.fftSize <= this.at.FFT_MAX, `fftSize ${spec.fftSize} over ${this.at.FFT_MAX}`)
    assert(spec.bands <= this.at.BANDS_MAX, `bands ${spec.bands} over ${this.at.BANDS_MAX}`)
    assert(plan.weights.length <= this.at.WEIGHTS_MAX, `weights ${plan.weights.length} over ${this.at.WEIGHTS_MAX}`)
    this.floats.set(plan.window, this.at.WINDOW / 4)
    this.floats.set(plan.twiddles, this.at.TWIDDLE / 4)
    this.words.set(plan.bandBins, this.at.BANDS / 4)
    this.floats.set(plan.weights, this.at.WEIGHTS / 4)
    this.words.set(plan.subBandEdges, this.at.EDGES / 4)
    this.floats.set(dct, this.at.DCT / 4)
  }

  #writeTables(): void {
    assert(this.at.SLOTS <= scratchPages * pageBytes)
    assert.equal(this.at.STATS_PER_FRAME, statsPerFrame)
    assert.equal(this.at.TAPS_PER_PHASE, tapsPerPhase)
    for (const [byte, linear] of aLawToLinear.entries()) this.floats[this.at.A_LAW / 4 + byte] = linear / 32768
    this.floats.set(interpolatorTaps(), this.at.TAPS / 4)
    this.floats.set(goertzelCoefficients(8000), this.at.GOERTZEL / 4)
  }
}

function placesOf(exports: Record<string, unknown>): KernelPlaces {
  return Object.fromEntries(
    kernelPlaceNames.map((name) => [name, (exports[name] as { value: number }).value]),
  ) as KernelPlaces
}
