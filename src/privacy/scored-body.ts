/**
 * Canonical call records that are only scored (`POST /v1/score/cdr`): their numbers by name, nothing stored of them.
 * What cannot be read goes on as it is and is refused by who reads it. Main thread.
 */
import type { NumberDoors } from './number-doors.ts'

export function scoredBody(doors: NumberDoors, body: Uint8Array, format: 'json' | 'ndjson'): Uint8Array {
  if (!doors.hides) return body
  const text = Buffer.from(body).toString('utf8')
  const lines = format === 'json' ? [text] : text.split('\n')
  return new Uint8Array(Buffer.from(lines.map((line) => named(doors, line)).join('\n')))
}

function named(doors: NumberDoors, text: string): string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return text
  }
  return JSON.stringify(Array.isArray(value) ? value.map((each) => withNames(doors, each)) : withNames(doors, value))
}

function withNames(doors: NumberDoors, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const out: Record<string, unknown> = { ...value }
  for (const key of ['from', 'to', 'fromRaw', 'toRaw']) {
    const number = out[key]
    if (typeof number === 'string') out[key] = doors.asked(number)
  }
  return out
}
