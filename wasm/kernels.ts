/**
 * The entry of the kernels binary: what it exports is its contract, checked by name when src/audio/kernels.ts loads it.
 * AssemblyScript with SIMD, no garbage collector, no allocation: all memory is laid out in memory-map.ts. Addresses are
 * byte offsets; sizes and places are exported so that the host never repeats them.
 */
export { analyse } from './bands'
export { base64Decode } from './base64'
export { cepstra } from './cepstra'
export { aLawToFloat, fullScalePairs, muLawToFloat } from './g711'
export { goertzel } from './goertzel'
export { scanMedia } from './media'
export {
  A_LAW,
  BANDS,
  BANDS_MAX,
  BYTES,
  BYTES_MAX,
  DCT,
  EDGES,
  FEATURE_ROWS_MAX,
  FEATURES,
  FFT_MAX,
  FRAMES_MAX,
  GOERTZEL,
  MEDIA,
  NARROW,
  NARROW_SAMPLES_MAX,
  POWER,
  SLOTS,
  SPEECH,
  STATS,
  STATS_PER_FRAME,
  TAPS,
  TAPS_PER_PHASE,
  TEXT,
  TEXT_CHARS_MAX,
  TWIDDLE,
  WEIGHTS,
  WEIGHTS_MAX,
  WIDE,
  WIDE_SAMPLES_MAX,
  WINDOW,
} from './memory-map'
export { upsample2 } from './resample'

/** Moves bytes inside the memory (regions may overlap): what is already here need not pass through the host. */
export function move(target: i32, source: i32, count: i32): void {
  memory.copy(target, source, count)
}

/** Sets bytes. 0xFF is mu-law's positive zero. */
export function fill(target: i32, value: i32, count: i32): void {
  memory.fill(target, <u8>value, count)
}
