/**
 * A number taken out of an entry of the durable log: rows of tables that wait to be stored, call records, rows of
 * split calls, and whatever is JSON (cases, notices, dead letters). Says the same about a row as `table-erasure.ts`
 * does about the table, so that a row is the same whether it was stored before or after. The audit is never changed:
 * it is a chain, and holds no number. Pure.
 */
import { packChunk, unpackChunk } from '../log/row-chunks.ts'
import type { NumberNames } from '../privacy/number-vault.ts'
import { erasedWord, type NumberSpellings } from '../wire/number-spellings.ts'

/** Log of the audit. */
export const auditLog = 'audit'
/** Rows as switches sent them: a number may stand in its national spelling. */
const heldLog = 'cdr.held'

/** The entry without the number; null: it does not hold it. */
export function scrubEntry(
  log: string,
  payload: Uint8Array,
  spellings: NumberSpellings,
  seals: Seals = noSeals,
): Uint8Array | null {
  if (log === heldLog) {
    const opened = openedEntry(log, payload, seals)
    const scrubbed = opened === null ? null : scrubOpened(log, opened, spellings)
    return scrubbed === null ? null : seals.seal(scrubbed)
  }
  return scrubOpened(log, payload, spellings)
}

/** The entry as it can be read; null: it is sealed under a key that is not here. */
export function openedEntry(log: string, payload: Uint8Array, seals: Seals): Uint8Array | null {
  // As switches sent it; in mode tokens sealed.
  return log === heldLog ? seals.unseal(payload) : payload
}

/** What is written under a key because it holds numbers. */
export type Seals = Pick<NumberNames, 'seal' | 'unseal'>

const noSeals: Seals = { seal: (bytes) => bytes, unseal: (bytes) => bytes }

function scrubOpened(log: string, payload: Uint8Array, spellings: NumberSpellings): Uint8Array | null {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
  if (log === auditLog || !spellings.mayHold(bytes.toString('latin1'))) return null
  if (log === 'cdr' || log === heldLog || log.startsWith('rows.')) return scrubChunk(log, payload, spellings)
  const text = bytes.toString('utf8')
  let scrubbed: string
  try {
    const value: unknown = JSON.parse(text)
    const without = spellings.scrubValue(value)
    scrubbed = without === value ? text : JSON.stringify(without)
  } catch {
    scrubbed = spellings.scrub(text)
  }
  return scrubbed === text ? null : Buffer.from(scrubbed)
}

function scrubChunk(log: string, payload: Uint8Array, spellings: NumberSpellings): Uint8Array | null {
  const chunk = unpackChunk(payload)
  if (chunk === null) return null
  const columns = chunk.columns.split(',')
  let changed = false
  const lines = Buffer.from(chunk.lines).toString('utf8').split('\n').slice(0, -1)
  const scrubbed = lines.map((line) => {
    if (!spellings.mayHold(line)) return `${line}\n`
    const values = JSON.parse(line) as unknown[]
    const without =
      log === heldLog ? values.map((value) => scrubHeld(value, spellings)) : scrubRow(columns, values, spellings)
    if (without.every((value, at) => value === values[at])) return `${line}\n`
    changed = true
    return `${JSON.stringify(without)}\n`
  })
  return changed ? packChunk(chunk.columns, scrubbed) : null
}

function scrubHeld(value: unknown, spellings: NumberSpellings): unknown {
  return typeof value === 'object' ? spellings.scrubValue(value, true) : value
}

/** A row of a table: the number's own columns go as a whole, texts lose it. */
export function scrubRow(
  columns: readonly string[],
  values: readonly unknown[],
  spellings: NumberSpellings,
): unknown[] {
  const fieldOf = (column: string): unknown => values[columns.indexOf(column)]
  const sides = ['from', 'to'].filter((side) => {
    const number = fieldOf(`${side}_number`)
    return typeof number === 'string' && spellings.is(number)
  })
  return values.map((value, at) => {
    const [, side = '', part = ''] = /^(from|to)_(number|raw|valid)$/.exec(columns[at] ?? '') ?? []
    if (sides.includes(side)) {
      // A record's number that is not known is empty; its raw text says why.
      if (part === 'number') return columns.includes(`${side}_raw`) ? '' : erasedWord
      return part === 'raw' ? erasedWord : 0
    }
    if (typeof value === 'number') return value
    return spellings.scrubValue(value, sides.length > 0)
  })
}
