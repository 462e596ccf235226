/**
 * Power at the eight DTMF frequencies (ITU-T Q.23: 697 770 852 941, 1209 1336 1477 1633 Hz) over one block, by eight
 * Goertzel recurrences in two vectors: s0 = x + c s1 - s2, c = 2 cos(2 pi f / rate); power = s1^2 + s2^2 - c s1 s2.
 * A full-scale sine over n samples gives (n / 2)^2. Coefficients stand at GOERTZEL, results go behind them.
 */
import { GOERTZEL } from './memory-map'

export function goertzel(source: i32, count: i32): void {
  const rows = v128.load(GOERTZEL)
  const columns = v128.load(GOERTZEL, 16)
  let rows1 = f32x4.splat(0)
  let rows2 = f32x4.splat(0)
  let columns1 = f32x4.splat(0)
  let columns2 = f32x4.splat(0)
  const end = source + (count << 2)
  while (source < end) {
    const sample = v128.load32_splat(source)
    const row0 = v128.sub<f32>(v128.add<f32>(sample, v128.mul<f32>(rows, rows1)), rows2)
    const column0 = v128.sub<f32>(v128.add<f32>(sample, v128.mul<f32>(columns, columns1)), columns2)
    rows2 = rows1
    rows1 = row0
    columns2 = columns1
    columns1 = column0
    source += 4
  }
  v128.store(GOERTZEL, power(rows, rows1, rows2), 32)
  v128.store(GOERTZEL, power(columns, columns1, columns2), 48)
}

function power(coefficient: v128, s1: v128, s2: v128): v128 {
  const squares = v128.add<f32>(v128.mul<f32>(s1, s1), v128.mul<f32>(s2, s2))
  return v128.sub<f32>(squares, v128.mul<f32>(coefficient, v128.mul<f32>(s1, s2)))
}
