/** Reads table `audit`: pages for people, newest first, and pages in the order of the chain for checks. Main thread. */
import type { AuditEntry, ChainLink } from './audit-chain.ts'
import type { Store } from './store.ts'

/** A row as it is told: columns by name, `seq` a number. */
export interface AuditRecord extends Omit<AuditEntry, 'at'> {
  /** ISO 8601 UTC. */
  readonly at: string
  readonly chain: string
  readonly seq: number
  readonly prevHash: string
  readonly hash: string
}

export interface AuditFilter {
  readonly order: 'chain' | 'newest'
  readonly fromMs: number
  readonly toMs: number
  readonly actor: string
  readonly action: string
  /** The last row of the page before. */
  readonly after: { readonly at: string; readonly chain: string; readonly seq: number } | null
  readonly limit: number
}

export class AuditRows {
  readonly #store: Pick<Store, 'query'>

  constructor(store: Pick<Store, 'query'>) {
    this.#store = store
  }

  /** @throws OperatingError storage_unavailable */
  async page(filter: AuditFilter): Promise<AuditRecord[]> {
    const { order, fromMs, toMs, actor, action, after, limit } = filter
    const isChain = order === 'chain'
    const conditions = [
      'at >= fromUnixTimestamp64Milli({from:Int64})',
      'at < fromUnixTimestamp64Milli({to:Int64})',
      ...(actor === '' ? [] : ['position(actor, {actor:String}) > 0']),
      ...(action === '' ? [] : ['startsWith(action, {action:String})']),
      ...(after === null ? [] : [isChain ? afterInChain : olderThan]),
    ]
    const parameters = {
      ...{ from: fromMs, to: toMs, actor, action, limit },
      ...{ at: after === null ? 0 : Date.parse(after.at), chain: after?.chain ?? '', seq: after?.seq ?? 0 },
    }
    const used = Object.entries(parameters).filter(([name]) => conditions.join(' ').includes(`{${name}:`))
    const by = isChain ? 'chain, seq, at' : 'at DESC, chain DESC, seq DESC'
    const rows = await this.#store.query(
      `SELECT * FROM audit WHERE ${conditions.join(' AND ')} ORDER BY ${by} LIMIT {limit:UInt32}`,
      { ...Object.fromEntries(used), limit },
    )
    return rows.map(recordOf)
  }
}

/** Rows from before there was a chain all have seq 0 and come first, ordered by time. */
const afterInChain = '(chain, seq, at) > ({chain:String}, {seq:UInt64}, fromUnixTimestamp64Milli({at:Int64}))'
const olderThan = '(at, chain, seq) < (fromUnixTimestamp64Milli({at:Int64}), {chain:String}, {seq:UInt64})'

/** A row of the table, columns by name. */
export function recordOf(row: Record<string, unknown>): AuditRecord {
  const text = (name: string): string => String(row[name] ?? '')
  return {
    at: text('at'),
    actor: text('actor'),
    role: text('role'),
    action: text('action'),
    subject: text('subject'),
    result: text('result'),
    remote: text('remote'),
    detail: text('detail'),
    chain: text('chain'),
    seq: Number(row['seq']),
    prevHash: text('prev_hash'),
    hash: text('hash'),
  }
}

/** What the check of the chain takes. */
export function linkedEntry(record: AuditRecord): { link: ChainLink; entry: AuditEntry } {
  const { at, chain, seq, prevHash, hash, ...rest } = record
  return { link: { chain, seq, prevHash, hash }, entry: { at: Date.parse(at), ...rest } }
}
