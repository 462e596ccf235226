/**
 * The list of labelled recordings that `evaluate voice` takes: CSV (RFC 4180) with a head line; columns
 * path,label,speaker,system in any order, and more to group by. Paths are relative to the list. A row that is wrong is
 * told with its line, the others are taken. Pure.
 *
 *     path,label,speaker,system,condition,language
 *     a/1.wav,bonafide,alice,,gsm,en
 *     a/2.wav,spoof,alice,hifigan,gsm,en
 */
import { OperatingError } from '../core/errors.ts'

export interface ListedRecording {
  readonly line: number
  readonly path: string
  readonly isSpoof: boolean
  readonly speaker: string
  readonly system: string
  /** All other columns. */
  readonly groups: Readonly<Record<string, string>>
}

export interface BadRow {
  readonly line: number
  readonly detail: string
}

/** Rows are held in memory with what came of them, about 1 KB each. */
export const rowsMax = 500_000
const needed = ['path', 'label', 'speaker', 'system'] as const

/** @throws OperatingError `bad_request` where the head line lacks a column, or rows are too many */
export function readVoiceList(text: string): { rows: ListedRecording[]; bad: BadRow[]; columns: string[] } {
  const lines = csvLines(text.replace(/^\uFEFF/, ''))
  const head = (lines.shift()?.cells ?? []).map((cell) => cell.trim())
  const missing = needed.filter((name) => !head.includes(name))
  if (missing.length > 0) throw new OperatingError('bad_request', `the head line lacks ${missing.join(', ')}`)
  if (lines.length > rowsMax) throw new OperatingError('bad_request', `more than ${rowsMax} rows; evaluate in pieces`)
  const columns = head.filter((name) => name !== '' && !(needed as readonly string[]).includes(name))
  const rows: ListedRecording[] = []
  const bad: BadRow[] = []
  for (const { line, cells } of lines) {
    const row = new Map(head.map((name, at) => [name, (cells[at] ?? '').trim()]))
    const problem = problemOf(row, cells.length, head.length)
    if (problem !== null) {
      bad.push({ line, detail: problem })
      continue
    }
    rows.push({
      line,
      path: row.get('path')!,
      isSpoof: row.get('label') === 'spoof',
      speaker: row.get('speaker')!,
      system: row.get('label') === 'spoof' ? row.get('system')! : '',
      groups: Object.fromEntries(columns.map((name) => [name, row.get(name)!])),
    })
  }
  return { rows, bad, columns }
}

function problemOf(row: ReadonlyMap<string, string>, cells: number, wanted: number): string | null {
  if (cells !== wanted) return `${cells} cells, the head line has ${wanted}`
  if (row.get('path') === '') return 'path is empty'
  const label = row.get('label')
  if (label !== 'bonafide' && label !== 'spoof') return `label must be bonafide or spoof, got "${label}"`
  if (row.get('speaker') === '') return 'speaker is empty: intervals are drawn over speakers'
  if (label === 'spoof' && row.get('system') === '') return 'system is empty, but the label is spoof'
  return null
}

/** Cells of each line that is not empty, with its number. A quoted cell may hold commas, doubled quotes, line ends. */
function csvLines(text: string): { line: number; cells: string[] }[] {
  const out: { line: number; cells: string[] }[] = []
  let cells: string[] = []
  let cell = ''
  let quoted = false
  let line = 1
  let began = 1
  const endLine = (): void => {
    cells.push(cell)
    if (cells.length > 1 || cell.trim() !== '') out.push({ line: began, cells })
    cells = []
    cell = ''
    began = line
  }
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at]!
    if (char === '\n') line += 1
    if (quoted) {
      if (char !== '"') cell += char
      else if (text[at + 1] === '"') {
        cell += '"'
        at += 1
      } else quoted = false
    } else if (char === '"' && cell === '') quoted = true
    else if (char === ',') {
      cells.push(cell)
      cell = ''
    } else if (char === '\n') endLine()
    else if (char !== '\r') cell += char
  }
  endLine()
  return out
}
