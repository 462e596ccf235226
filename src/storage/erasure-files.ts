/**
 * A number taken out of files beside the tables and the log: quarantined rows lose it, a piece of a damaged log that
 * holds it is deleted (nobody can change it). Main thread, rare.
 */
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { writeWholeFile } from '../core/whole-file.ts'
import type { NumberSpellings } from '../wire/number-spellings.ts'

export interface FileFinding {
  /** Within the data directory. */
  readonly file: string
  readonly result: 'changed' | 'deleted'
}

export function eraseInFiles(dataDir: string, spellings: NumberSpellings): FileFinding[] {
  const findings: FileFinding[] = []
  for (const name of readdirSync(dataDir).filter((each) => /^quarantine.*\.ndjson$/.test(each))) {
    const text = readFileSync(`${dataDir}/${name}`, 'utf8')
    const scrubbed = text
      .split('\n')
      .map((line) => scrubLine(line, spellings))
      .join('\n')
    if (scrubbed === text) continue
    writeWholeFile(`${dataDir}/${name}`, scrubbed)
    findings.push({ file: name, result: 'changed' })
  }
  const spool = `${dataDir}/spool`
  const pieces = existsSync(spool) ? readdirSync(spool) : []
  for (const name of pieces.filter((each) => /^(quarantine-.*\.bin|log\.damaged-.*)$/.test(each))) {
    if (!holds(`${spool}/${name}`, spellings)) continue
    rmSync(`${spool}/${name}`, { recursive: true })
    findings.push({ file: `spool/${name}`, result: 'deleted' })
  }
  return findings
}

/** A quarantined row is a text within JSON, in which quotes are escaped; the number's own spelling has none. */
function scrubLine(line: string, spellings: NumberSpellings): string {
  return spellings.mayHold(line) ? spellings.scrub(line) : line
}

function holds(path: string, spellings: NumberSpellings): boolean {
  if (statSync(path).isDirectory()) return readdirSync(path).some((name) => holds(`${path}/${name}`, spellings))
  return spellings.holds(readFileSync(path, 'latin1'))
}
