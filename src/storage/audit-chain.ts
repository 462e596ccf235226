/**
 * The chain of audit rows: each row's hash covers its own columns and the hash of the row before, so a row that is
 * changed, removed or inserted later does not fit any more. A chain's name says who writes it and since when, and is
 * part of its first hash. Pure.
 *
 *   hash = SHA-256 of JSON [prev_hash, chain, seq, at, actor, role, action, subject, result, remote, detail]
 *   first row: seq 1, prev_hash = SHA-256 of the chain's name
 *   name = <id of the durable log>-<wall ms of the first row, base 36>
 */
import { createHash } from 'node:crypto'

/** What is told of one act. */
export interface AuditEntry {
  /** Wall time, ms. */
  readonly at: number
  readonly actor: string
  readonly role: string
  /** `session.open`, `access.denied` ... */
  readonly action: string
  /** What it was done to: method and path, a key's id. */
  readonly subject: string
  readonly result: string
  readonly remote: string
  readonly detail: string
}

/** Where a row stands. */
export interface ChainLink {
  readonly chain: string
  readonly seq: number
  readonly prevHash: string
  readonly hash: string
}

export interface ChainHead {
  readonly chain: string
  readonly seq: number
  readonly hash: string
}

export function newChain(writer: string, wallMs: number): ChainHead {
  const chain = `${writer}-${wallMs.toString(36)}`
  return { chain, seq: 0, hash: sha256(chain) }
}

/** Since when a chain is written, wall ms; NaN when the name is none. */
export function chainBegin(chain: string): number {
  return Number.parseInt(chain.slice(chain.lastIndexOf('-') + 1), 36)
}

export function linkTo(head: ChainHead, entry: AuditEntry): ChainLink {
  const link = { chain: head.chain, seq: head.seq + 1, prevHash: head.hash }
  return { ...link, hash: hashOf(link, entry) }
}

function hashOf({ chain, seq, prevHash }: Omit<ChainLink, 'hash'>, entry: AuditEntry): string {
  const { actor, role, action, subject, result, remote, detail } = entry
  const at = new Date(entry.at).toISOString()
  return sha256(JSON.stringify([prevHash, chain, seq, at, actor, role, action, subject, result, remote, detail]))
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** What does not fit, and where. */
export interface ChainProblem {
  readonly kind: 'changed' | 'removed' | 'inserted'
  readonly chain: string
  /** The first and last row concerned. */
  readonly fromSeq: number
  readonly toSeq: number
  readonly detail: string
}

export interface ChainReport {
  readonly rows: number
  readonly chains: readonly ChainHead[]
  readonly problems: readonly ChainProblem[]
  /** Beginnings that are older than what is kept. */
  readonly trimmed: readonly { readonly chain: string; readonly toSeq: number }[]
}

const problemsMax = 1000

/** Takes rows ordered by chain and seq, then says what it found. */
export class ChainCheck {
  /** Rows from before this wall ms may be gone. */
  readonly #keptSinceMs: number
  readonly #problems: ChainProblem[] = []
  readonly #heads = new Map<string, ChainHead>()
  readonly #trimmed: { chain: string; toSeq: number }[] = []
  #rows = 0

  constructor(options: { readonly keptSinceMs: number }) {
    this.#keptSinceMs = options.keptSinceMs
  }

  push(link: ChainLink, entry: AuditEntry): void {
    this.#rows += 1
    const { chain, seq } = link
    const before = this.#heads.get(chain)
    if (before !== undefined && seq <= before.seq) {
      this.#found('inserted', chain, seq, seq, `a second row with this number: ${told(entry)}`)
      return
    }
    const expected = before ?? this.#beginning(link)
    if (seq > expected.seq + 1)
      this.#found('removed', chain, expected.seq + 1, seq - 1, `missing before: ${told(entry)}`)
    if (hashOf(link, entry) !== link.hash) {
      this.#found('changed', chain, seq, seq, `does not fit its hash: ${told(entry)}`)
    } else if (seq === expected.seq + 1 && link.prevHash !== expected.hash) {
      this.#found('changed', chain, seq - 1, seq, `does not follow the row before: ${told(entry)}`)
    }
    this.#heads.set(chain, { chain, seq, hash: link.hash })
  }

  /** A row without a place in any chain. Before the first chain there were such rows. */
  pushUnchained(entry: AuditEntry, firstChainMs: number): void {
    this.#rows += 1
    if (entry.at >= firstChainMs) this.#found('inserted', '', 0, 0, `a row outside of the chain: ${told(entry)}`)
  }

  /** `head`: the last row that the writer itself remembers. */
  report(head: ChainHead | null): ChainReport {
    if (head !== null && head.seq > 0) {
      const last = this.#heads.get(head.chain) ?? { seq: 0, hash: '' }
      if (last.seq < head.seq) this.#found('removed', head.chain, last.seq + 1, head.seq, 'the newest rows are missing')
      else if (last.seq > head.seq) this.#found('inserted', head.chain, head.seq + 1, last.seq, 'nobody wrote them')
      else if (last.hash !== head.hash) this.#found('changed', head.chain, head.seq, head.seq, 'not what was written')
    }
    const chains = [...this.#heads.values()]
    return { rows: this.#rows, chains, problems: this.#problems, trimmed: this.#trimmed }
  }

  /** The place before a chain's first row that is there. */
  #beginning({ chain, seq, prevHash }: ChainLink): ChainHead {
    const start = { chain, seq: 0, hash: sha256(chain) }
    if (seq === 1 || !(chainBegin(chain) < this.#keptSinceMs)) return start
    this.#trimmed.push({ chain, toSeq: seq - 1 })
    return { chain, seq: seq - 1, hash: prevHash }
  }

  #found(kind: ChainProblem['kind'], chain: string, fromSeq: number, toSeq: number, detail: string): void {
    if (this.#problems.length < problemsMax) this.#problems.push({ kind, chain, fromSeq, toSeq, detail })
  }
}

function told(entry: AuditEntry): string {
  return `${new Date(entry.at).toISOString()} ${entry.actor || 'nobody'} ${entry.action} ${entry.subject}`
}
