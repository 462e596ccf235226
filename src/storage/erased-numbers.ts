/**
 * Numbers of the ledger that stand somewhere again, as after the restore of a backup that is older than their erasure:
 * every run of digits in every text of the tables and of the log is held against the keyed hashes. Main thread, rare.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { ByteBudget } from '../log/durable-log.ts'
import type { KeyTable } from '../log/key-table.ts'
import type { LogEnvironment } from '../log/log-environment.ts'
import { isToken } from '../wire/number-token.ts'
import { openedEntry, type Seals } from './entry-scrub.ts'
import type { ErasureLedger } from './erasure-ledger.ts'
import { quotedName, type Store } from './store.ts'

/** Plain digits, digits with signs between them (these alone would join neighbours to one), and tokens. */
const runs = ['[0-9]{7,18}', '[0-9](?:[-. ()/]{0,3}[0-9]){6,17}', '[0-9*#]{0,11}~[a-l][a-z2-7]{15}']
const vaultKeysMax = 10_000
/** Different runs asked for at a time. */
const runsMax = 200_000

export class ErasedNumbers {
  readonly #ledger: ErasureLedger
  readonly #found = new Set<string>()

  constructor(ledger: ErasureLedger) {
    this.#ledger = ledger
  }

  get found(): string[] {
    return [...this.#found]
  }

  async lookInTables(store: Pick<Store, 'query'>): Promise<void> {
    const columns = await store.query(
      `SELECT table, name FROM system.columns
       WHERE database = currentDatabase() AND position(type, 'String') > 0
         AND default_kind NOT IN ('MATERIALIZED', 'ALIAS')
         AND table IN (SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree')
         AND table NOT IN ('schema_migrations', 'erasures', 'audit')`,
      {},
    )
    for (const { table, name } of columns) await this.#lookInColumn(store, String(table), String(name))
  }

  async #lookInColumn(store: Pick<Store, 'query'>, table: string, column: string): Promise<void> {
    const each = runs.map((run) => `extractAll(text, '${run}')`).join(', ')
    const source =
      `SELECT DISTINCT arrayJoin(arrayConcat(${each})) AS run FROM ` +
      `(SELECT toString(${quotedName(column)}) AS text FROM ${quotedName(table)})`
    const [row = {}] = await store.query(`SELECT uniq(run) AS runs FROM (${source})`, {})
    const shares = Math.ceil(Number(row['runs']) / runsMax)
    for (let share = 0; share < shares; share += 1) {
      const found = await store.query(`SELECT run FROM (${source}) WHERE cityHash64(run) % ${shares} = ${share}`, {})
      for (const { run } of found) this.#check(String(run))
      await turn()
    }
  }

  async lookInLogs(logs: LogEnvironment, seals: Seals): Promise<void> {
    for (const name of logs.names()) {
      const log = logs.log(name, new ByteBudget(Number.POSITIVE_INFINITY))
      for (let from = 0; from < log.end(); ) {
        const entries = log.read(from, 500, 524_288)
        for (const { bytes } of entries) {
          this.lookIn(Buffer.from(openedEntry(name, bytes, seals) ?? []).toString('latin1'))
        }
        const last = entries.at(-1)
        if (last === undefined) break
        from = last.seq + 1
        await turn()
      }
    }
  }

  /** Tokens whose originals are in the vault again. */
  lookInVault(table: KeyTable): string[] {
    const back: string[] = []
    for (
      let keys = table.keys(null, vaultKeysMax);
      keys.length > 0;
      keys = table.keys(keys.at(-1) ?? '', vaultKeysMax)
    ) {
      back.push(...keys.filter((key) => this.#ledger.has(key)))
    }
    return back
  }

  lookIn(text: string): void {
    for (const run of runs) for (const [found] of text.matchAll(new RegExp(run, 'g'))) this.#check(found)
  }

  #check(run: string): void {
    const digits = run.replace(/\D/g, '')
    for (const number of isToken(run) ? [run] : [digits, digits.replace(/^(00|011)/, '')]) {
      if (!this.#found.has(number) && this.#ledger.has(number)) this.#found.add(number)
    }
  }
}
