/**
 * Rows as JSONCompactEachRow text. ClickHouse wraps an integer that does not fit its column, clips a date out of
 * range and takes null for zero, all without a word; so every value is checked against its column here and a row that
 * cannot be stored as it stands is refused. Pure, main thread.
 *
 * Example, one row of (String, UInt64, Float32, Time):
 *   ["CA1",18446744073709551615,"nan","2026-01-01T00:00:00.000Z"]\n
 */
import { OperatingError } from '../core/errors.ts'
import type { ColumnType } from './tables.ts'

const integerMax: Partial<Record<ColumnType, number>> = { UInt8: 255, UInt16: 65_535, UInt32: 4_294_967_295 }
const uint64Max = 18_446_744_073_709_551_615n
/** DateTime64(3) holds 1900-01-01 to 2299-12-31; what lies outside would be clipped. */
const timeMsMin = Date.UTC(1900, 0, 1)
const timeMsMax = Date.UTC(2300, 0, 1) - 1

/** One line with its newline. @throws OperatingError storage_rejected naming the column, never the value. */
export function encodeRow(columns: readonly string[], types: readonly ColumnType[], row: readonly unknown[]): string {
  if (row.length !== types.length) {
    throw new OperatingError('storage_rejected', `a row of ${row.length} values for ${types.length} columns`)
  }
  let text = '['
  for (const [index, type] of types.entries()) {
    const value = encodeValue(type, row[index])
    if (value === null) {
      throw new OperatingError('storage_rejected', `column ${columns[index]}: not a ${type}`, {
        got: kindOf(row[index]),
      })
    }
    text += index === 0 ? value : `,${value}`
  }
  return `${text}]\n`
}

function encodeValue(type: ColumnType, value: unknown): string | null {
  switch (type) {
    case 'String':
    case 'Word':
      return typeof value === 'string' ? encodeText(value) : null
    case 'Float32':
      return typeof value === 'number' ? encodeFloat(value) : null
    case 'Time':
      return encodeTime(value)
    case 'UInt64':
      return encodeUint64(value)
    default:
      return encodeInteger(value, integerMax[type] as number)
  }
}

/** Half a surrogate pair is not text; ClickHouse refuses it, so it becomes U+FFFD as in any UTF-8 encoder. */
function encodeText(value: string): string {
  const json = JSON.stringify(value)
  return json.includes('\\ud') ? JSON.stringify(Buffer.from(value, 'utf8').toString('utf8')) : json
}

function encodeFloat(value: number): string {
  if (Number.isFinite(value)) return String(value)
  return Number.isNaN(value) ? '"nan"' : value > 0 ? '"inf"' : '"-inf"'
}

function encodeInteger(value: unknown, max: number): string | null {
  const number = typeof value === 'boolean' ? Number(value) : value
  return typeof number === 'number' && Number.isInteger(number) && number >= 0 && number <= max ? String(number) : null
}

function encodeUint64(value: unknown): string | null {
  if (typeof value === 'bigint') return value >= 0n && value <= uint64Max ? String(value) : null
  return encodeInteger(value, Number.MAX_SAFE_INTEGER)
}

function encodeTime(value: unknown): string | null {
  const ms = value instanceof Date ? value.getTime() : value
  if (typeof ms !== 'number' || !(ms >= timeMsMin && ms <= timeMsMax)) return null
  return `"${new Date(ms).toISOString()}"`
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : typeof value
}
