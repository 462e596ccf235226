/** Typed arrays that grow by copying, for tables whose size is known only as a cap. Any thread. */

export function grownFloats(old: Float32Array, length: number): Float32Array<ArrayBuffer> {
  const made = new Float32Array(length)
  made.set(old)
  return made
}

export function grownDoubles(old: Float64Array, length: number): Float64Array<ArrayBuffer> {
  const made = new Float64Array(length)
  made.set(old)
  return made
}

export function grownInts(old: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const made = new Int32Array(length)
  made.set(old)
  return made
}

export function grownWords(old: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const made = new Uint32Array(length)
  made.set(old)
  return made
}

export function grownBytes(old: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const made = new Uint8Array(length)
  made.set(old)
  return made
}
