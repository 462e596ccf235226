/**
 * A number taken out of every table of the database, whatever columns it has: its own columns go as a whole, texts lose
 * it, a row whose key holds it is deleted (a key cannot be changed). Counts before and after; `settled` waits until the
 * parts that were replaced are off the disk. The number stands in no statement, because ClickHouse keeps those of
 * mutations on disk: the patterns are in a table in the engine's memory. Both back ends. Main thread.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../core/clock.ts'
import { OperatingError } from '../core/errors.ts'
import { erasedWord, type NumberSpellings } from '../wire/number-spellings.ts'
import { quotedName, type Store } from './store.ts'

export interface TableFinding {
  readonly table: string
  /** Rows, and versions of rows that are not merged yet. */
  readonly rowsBefore: number
  readonly rowsAfter: number
}

export interface TableErasureOptions {
  readonly store: Pick<Store, 'query' | 'command' | 'insert'>
  readonly database: string
  readonly clock: Clock
  /** Replaced parts must be gone by then. */
  readonly partsWaitMs?: number
}

interface Column {
  readonly name: string
  readonly type: string
  readonly isKey: boolean
}

/** Holds the patterns; empty again when the engine restarts. */
const patternTable = 'erasing'
/** Never changed: a chain of hashes. It holds no number; that is checked. */
export const chainTable = 'audit'
const skipped: ReadonlySet<string> = new Set(['schema_migrations', 'erasures', patternTable])
const pollMs = 100
const partsWaitMsDefault = 120_000
/** RE2 that no text fits. Without it an empty table of patterns would stand for "everything". */
const nothing = '[^\\\\s\\\\S]'
const textType = /^(Nullable\()?(LowCardinality\()?(Nullable\()?(Fixed)?String/
const mapType = /^Map\((LowCardinality\()?String\)?, (LowCardinality\()?String\)?\)$/
const arrayType = /^Array\((LowCardinality\()?String/

export class TableErasure {
  readonly #options: TableErasureOptions

  constructor(options: TableErasureOptions) {
    this.#options = options
  }

  /** @throws StoreError; may be repeated */
  async erase(spellings: NumberSpellings): Promise<TableFinding[]> {
    const { store } = this.#options
    await this.#givePatterns(spellings)
    try {
      const findings: TableFinding[] = []
      for (const [table, columns] of await this.#columns()) findings.push(await this.#eraseIn(table, columns))
      return findings
    } finally {
      await store.command(`DROP TABLE IF EXISTS ${patternTable}`)
    }
  }

  /** Resolves once the parts that were replaced are off the disk. */
  async settled(findings: readonly TableFinding[]): Promise<void> {
    for (const { table, rowsBefore } of findings) {
      if (rowsBefore > 0 && table !== chainTable) await this.#partsGone(table)
    }
  }

  async #givePatterns({ wholePattern, withinPattern, nationalPattern }: NumberSpellings): Promise<void> {
    const { store, clock } = this.#options
    await store.command(`DROP TABLE IF EXISTS ${patternTable}`)
    await store.command(`CREATE TABLE ${patternTable} (kind String, pattern String) ENGINE = Memory`)
    const rows = Object.entries({ whole: wholePattern, within: withinPattern, national: nationalPattern })
    const lines = rows.map((row) => `${JSON.stringify(row)}\n`).join('')
    await store.insert(patternTable, ['kind', 'pattern'], Buffer.from(lines), `erasing:${clock.wallMs()}`)
  }

  /** Tables that keep rows, with the columns that are written. */
  async #columns(): Promise<Map<string, Column[]>> {
    const rows = await this.#options.store.query(
      `SELECT table, name, type, is_in_sorting_key OR is_in_partition_key AS is_key FROM system.columns
       WHERE database = currentDatabase() AND default_kind NOT IN ('MATERIALIZED', 'ALIAS') AND table IN
         (SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree')
       ORDER BY table, position`,
      {},
    )
    const tables = new Map<string, Column[]>()
    for (const row of rows) {
      const [table, name, type] = [String(row['table']), String(row['name']), String(row['type'])]
      if (skipped.has(table)) continue
      const columns = tables.get(table) ?? []
      columns.push({ name, type, isKey: Number(row['is_key']) === 1 })
      tables.set(table, columns)
    }
    return tables
  }

  async #eraseIn(table: string, columns: readonly Column[]): Promise<TableFinding> {
    const { store } = this.#options
    const texts = columns.filter(({ type }) => isText(type))
    if (texts.length === 0) return { table, rowsBefore: 0, rowsAfter: 0 }
    const within = this.#pattern('within')
    const holds = (of: readonly Column[]): string =>
      of.map((column) => `match(${asText(column)}, ${within})`).join(' OR ')
    const rowsBefore = await this.#count(table, holds(texts))
    if (rowsBefore === 0 || table === chainTable) return { table, rowsBefore, rowsAfter: rowsBefore }
    await store.command(`ALTER TABLE ${quotedName(table)} MODIFY SETTING old_parts_lifetime = 1`)
    const [keys, others] = [texts.filter(({ isKey }) => isKey), texts.filter(({ isKey }) => !isKey)]
    if (keys.length > 0 && (await this.#count(table, holds(keys))) > 0) {
      await this.#mutate(table, `DELETE WHERE ${holds(keys)}`)
    }
    if (others.length > 0 && (await this.#count(table, holds(others))) > 0) {
      await this.#mutate(table, `UPDATE ${this.#changes(columns, others)} WHERE ${holds(others)}`)
    }
    return { table, rowsBefore, rowsAfter: await this.#count(table, holds(texts)) }
  }

  /** As `scrubRow` of entry-scrub.ts says it. */
  #changes(columns: readonly Column[], texts: readonly Column[]): string {
    const names = columns.map(({ name }) => name)
    const is = (side: string): string => `match(${side}_number, ${this.#pattern('whole')})`
    const sides = ['from', 'to'].filter((side) => names.includes(`${side}_number`))
    const own = sides.map(is).join(' OR ')
    const changes = texts.map((column) => {
      const [, side = '', part] = /^(from|to)_(number|raw)$/.exec(column.name) ?? []
      const scrubbed = this.#scrubbed(column, own)
      if (!sides.includes(side)) return `${quotedName(column.name)} = ${scrubbed}`
      const instead = part === 'number' && names.includes(`${side}_raw`) ? '' : erasedWord
      return `${quotedName(column.name)} = if(${is(side)}, '${instead}', ${scrubbed})`
    })
    for (const side of sides) {
      if (names.includes(`${side}_valid`)) changes.push(`${side}_valid = if(${is(side)}, 0, ${side}_valid)`)
    }
    return changes.join(', ')
  }

  #scrubbed({ name, type }: Column, own: string): string {
    const pattern = (text: string): string => {
      // Twice: what ends one match may begin the next.
      const all = (kind: string, within: string): string =>
        `replaceRegexpAll(${within}, ${this.#pattern(kind)}, '\\\\1${erasedWord}\\\\3')`
      const foreign = all('within', all('within', text))
      return own === '' ? foreign : `if(${own}, ${all('national', all('national', text))}, ${foreign})`
    }
    const column = quotedName(name)
    if (mapType.test(type)) return `mapApply((k, v) -> (${pattern('k')}, ${pattern('v')}), ${column})`
    if (arrayType.test(type)) return `arrayMap(each -> ${pattern('each')}, ${column})`
    return pattern(column)
  }

  #pattern(kind: string): string {
    const { database } = this.#options
    const from = `${quotedName(database)}.${patternTable} WHERE kind = '${kind}'`
    return `ifNull((SELECT if(count() = 0, '${nothing}', any(pattern)) FROM ${from}), '${nothing}')`
  }

  async #count(table: string, condition: string): Promise<number> {
    const sql = `SELECT count() AS found FROM ${quotedName(table)} WHERE ${condition}`
    const [row = {}] = await this.#options.store.query(sql, {})
    return Number(row['found'])
  }

  /** Runs beside other work of the engine, however long; a failure is told, and it is not left to go on. */
  async #mutate(table: string, change: string): Promise<void> {
    const { store } = this.#options
    await store.command(`ALTER TABLE ${quotedName(table)} ${change}`)
    const of = `database = currentDatabase() AND table = '${table}' AND NOT is_done`
    for (;;) {
      const open = await store.query(`SELECT latest_fail_reason AS why FROM system.mutations WHERE ${of}`, {})
      if (open.length === 0) return
      const why = open.map((row) => String(row['why'])).find((text) => text !== '')
      if (why !== undefined) {
        await store.command(`KILL MUTATION WHERE ${of}`)
        throw new OperatingError('storage_rejected', `rows of ${table} cannot be changed: ${why.slice(0, 300)}`)
      }
      await sleep(pollMs)
    }
  }

  /** Those that are replaced now; merges replace others all the time. */
  async #partsGone(table: string): Promise<void> {
    const { store, clock, partsWaitMs = partsWaitMsDefault } = this.#options
    const of = `FROM system.parts WHERE database = currentDatabase() AND table = '${table}' AND NOT active`
    const untilMs = clock.steadyMs() + partsWaitMs
    let left: Set<unknown> | null = null
    for (;;) {
      const names = (await store.query(`SELECT name ${of}`, {})).map((row) => row['name'])
      const now: Set<unknown> = new Set(names.filter((name) => left === null || left.has(name)))
      left = now
      if (left.size === 0) break
      if (clock.steadyMs() > untilMs) {
        throw new OperatingError('storage_unavailable', `replaced parts of ${table} are still on disk`)
      }
      await sleep(pollMs)
    }
    await store.command(`ALTER TABLE ${quotedName(table)} RESET SETTING old_parts_lifetime`)
  }
}

function isText(type: string): boolean {
  return textType.test(type) || mapType.test(type) || arrayType.test(type)
}

function asText({ name, type }: Column): string {
  return textType.test(type) && !type.startsWith('Nullable') ? quotedName(name) : `toString(${quotedName(name)})`
}
