/**
 * `audit verify`: reads the audit in the order of its chain and says which rows were changed, removed or inserted, and
 * where. From a running server (--url, with an admin key), or, when none is running, from the configured store itself.
 * Exit code 0: the chain holds; 1: it does not.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { auditPage } from '../api/audit-log.ts'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import { silentLog } from '../core/log.ts'
import { zeroCounters } from '../core/metrics.ts'
import { LogEnvironment } from '../log/log-environment.ts'
import { ChainCheck, type ChainHead, type ChainReport, chainBegin } from '../storage/audit-chain.ts'
import { type AuditRecord, AuditRows, linkedEntry } from '../storage/audit-rows.ts'
import { waitingAudit } from '../storage/audit-trail.ts'
import { createStore } from '../storage/stores.ts'
import type { ExitCode, Terminal } from './terminal.ts'

export interface AuditContext {
  readonly config: Config
  readonly clock: Clock
  readonly terminal: Terminal
}

export interface VerifyOptions {
  /** A running server, like http://127.0.0.1:8080. */
  readonly url?: string
  /** Of role admin; default: dataDir/admin.key. */
  readonly key?: string
  readonly json: boolean
}

/** All rows, a page at a time, and what the writer remembers of the end (null: nobody could be asked). */
interface AuditSource {
  pages(): AsyncIterable<readonly AuditRecord[]>
  head(): ChainHead | null
  close(): Promise<void>
}

const pageRows = 10_000
const dayMs = 86_400_000

export async function verifyAudit(context: AuditContext, options: VerifyOptions): Promise<ExitCode> {
  const { config, clock, terminal } = context
  const source = options.url === undefined ? await storeSource(context) : serverSource(context, options)
  try {
    const check = new ChainCheck({ keptSinceMs: clock.wallMs() - config.retention.auditDays * dayMs })
    const unchained: AuditRecord[] = []
    let firstChainMs = Number.POSITIVE_INFINITY
    for await (const page of source.pages()) {
      for (const record of page) {
        if (record.seq === 0) unchained.push(record)
        else {
          firstChainMs = Math.min(firstChainMs, chainBegin(record.chain))
          const { link, entry } = linkedEntry(record)
          check.push(link, entry)
        }
      }
    }
    for (const record of unchained) check.pushUnchained(linkedEntry(record).entry, firstChainMs)
    const head = source.head()
    const report = check.report(head)
    if (options.json) terminal.print(JSON.stringify({ ...report, head }))
    else tell(report, head, terminal)
    return report.problems.length === 0 ? 0 : 1
  } finally {
    await source.close()
  }
}

function tell({ rows, chains, problems, trimmed }: ChainReport, head: ChainHead | null, terminal: Terminal): void {
  for (const { chain, toSeq } of trimmed) {
    terminal.print(`chain ${chain}: rows 1 to ${toSeq} are older than retention.auditDays and no longer kept`)
  }
  for (const { kind, chain, fromSeq, toSeq, detail } of problems) {
    const where = fromSeq === toSeq ? `row ${fromSeq}` : `rows ${fromSeq} to ${toSeq}`
    terminal.print(`${kind}: chain ${chain || '(none)'} ${where}: ${detail}`)
  }
  for (const { chain, seq, hash } of chains) terminal.print(`chain ${chain} ends at row ${seq}, hash ${hash}`)
  if (head === null) terminal.print('the end of the chain is not checked: the durable log of its writer is not at hand')
  terminal.print(
    problems.length === 0 ? `${rows} rows: the chain holds` : `${rows} rows: ${problems.length} problem(s)`,
  )
}

function serverSource({ config }: AuditContext, { url = '', key }: VerifyOptions): AuditSource {
  let head: ChainHead | null = null
  const credential = key ?? adminKeyIn(config.dataDir)
  return {
    async *pages() {
      for (let cursor: string | null = ''; cursor !== null; ) {
        const target = new URL(`/v1/audit?order=chain&limit=${pageRows}`, url)
        if (cursor !== '') target.searchParams.set('cursor', cursor)
        const page: z.infer<typeof auditPage> = auditPage.parse(await asked(target, credential))
        head = page.head
        cursor = page.next
        yield page.rows
      }
    },
    head: () => head,
    close: async () => {},
  }
}

async function asked(target: URL, key: string): Promise<unknown> {
  try {
    const response = await fetch(target, { headers: { authorization: `Bearer ${key}` } })
    const body: unknown = await response.json()
    if (response.ok) return body
    const { detail } = z.object({ detail: z.string() }).parse(body)
    throw new OperatingError('storage_unavailable', `the server answers ${response.status}: ${detail}`)
  } catch (thrown) {
    if (thrown instanceof OperatingError) throw thrown
    throw new OperatingError('storage_unavailable', `${target.origin} does not answer: ${messageOf(thrown)}`)
  }
}

function adminKeyIn(dataDir: string): string {
  try {
    return readFileSync(join(dataDir, 'admin.key'), 'utf8').trim()
  } catch {
    throw new OperatingError('config_invalid', `no admin key in ${dataDir}; give one with --key`)
  }
}

/** Rows that were on their way to the table are in the log of the writer; so is the end of the chain. */
async function storeSource({ config }: AuditContext): Promise<AuditSource> {
  const counters = zeroCounters()
  const writer = openLog(config.dataDir)
  const waiting = writer === null ? { head: null, records: [] } : waitingAudit(writer)
  const store = createStore(config, { counters, log: silentLog })
  const close = async (): Promise<void> => {
    await store.close()
    await writer?.close()
  }
  try {
    await store.start()
  } catch (thrown) {
    await close()
    const hint = config.storage.url === null ? '; of a running server ask with --url' : ''
    throw new OperatingError('storage_unavailable', `${messageOf(thrown)}${hint}`)
  }
  const rows = new AuditRows(store)
  const all = { order: 'chain', fromMs: 0, toMs: 4_102_444_800_000, actor: '', action: '', limit: pageRows } as const
  return {
    async *pages() {
      let after: AuditRecord | null = null
      for (let page: AuditRecord[] | null = null; page === null || page.length === pageRows; ) {
        page = await rows.page({ ...all, after })
        yield page
        after = page.at(-1) ?? null
      }
      const lastSeq = after?.chain === waiting.head?.chain ? (after?.seq ?? 0) : 0
      yield waiting.records.filter((record) => record.seq > lastSeq)
    },
    head: () => waiting.head,
    close,
  }
}

/** Null while a running server holds it. */
function openLog(dataDir: string): LogEnvironment | null {
  try {
    return LogEnvironment.open({ directory: `${dataDir}/spool`, counters: zeroCounters(), log: silentLog })
  } catch {
    return null
  }
}
