/**
 * `GET /v1/audit`: who did what, newest first, or in the order of the chain for `voicefw audit verify`; JSON, or NDJSON
 * for export. A page ends with the cursor of the next. The head is the last row the writer itself remembers. Main
 * thread.
 */
import { z } from 'zod'
import type { Identity } from '../access/authenticate.ts'
import type { Clock } from '../core/clock.ts'
import { OperatingError } from '../core/errors.ts'
import type { HttpAnswer, HttpRequest } from '../http/exchange.ts'
import type { ChainHead } from '../storage/audit-chain.ts'
import type { AuditFilter, AuditRecord, AuditRows } from '../storage/audit-rows.ts'
import type { Audit } from './audit.ts'
import { checkedQuery } from './checked-request.ts'
import { json, plainHeaders } from './problem.ts'

const pageMax = 10_000

export const auditQuery = z.strictObject({
  order: z.enum(['newest', 'chain']).default('newest'),
  format: z.enum(['json', 'ndjson']).default('json'),
  from: z.iso.datetime().optional(),
  to: z.iso.datetime().optional(),
  actor: z.string().max(100).optional(),
  action: z.string().max(100).optional(),
  limit: z.coerce.number().int().min(1).max(pageMax).default(1000),
  cursor: z.string().max(400).optional(),
})

const record = z.object({
  at: z.string(),
  actor: z.string(),
  role: z.string(),
  action: z.string(),
  subject: z.string(),
  result: z.string(),
  remote: z.string(),
  detail: z.string(),
  chain: z.string(),
  seq: z.number().int(),
  prevHash: z.string(),
  hash: z.string(),
})

export const auditPage = z.object({
  rows: z.array(record),
  next: z.string().nullable(),
  head: z.object({ chain: z.string(), seq: z.number().int(), hash: z.string() }),
})

const cursorShape = z.tuple([z.iso.datetime({ precision: 3 }), z.string().max(100), z.number().int().min(0)])

export interface AuditLogOptions {
  readonly rows: Pick<AuditRows, 'page'>
  /** Resolves with the last row once the table has all up to it. */
  readonly head: () => Promise<ChainHead>
  readonly audit: Audit
  readonly clock: Clock
}

export class AuditLog {
  readonly #options: AuditLogOptions

  constructor(options: AuditLogOptions) {
    this.#options = options
  }

  async read(request: HttpRequest, identity: Identity): Promise<HttpAnswer> {
    const { rows, audit, clock } = this.#options
    const query = checkedQuery(auditQuery, request.query)
    const head = await this.#options.head()
    const filter: AuditFilter = {
      order: query.order,
      fromMs: query.from === undefined ? 0 : Date.parse(query.from),
      toMs: query.to === undefined ? clock.wallMs() + 86_400_000 : Date.parse(query.to),
      actor: query.actor ?? '',
      action: query.action ?? '',
      after: query.cursor === undefined ? null : readCursor(query.cursor),
      limit: query.limit,
    }
    const page = await rows.page(filter)
    audit.noteOften(request, identity, { action: 'audit.read', result: 'ok', detail: `order ${query.order}` })
    const last = page.at(-1)
    const next = last !== undefined && page.length === query.limit ? writeCursor(last) : null
    if (query.format === 'json') return json(200, { rows: page, next, head })
    const headers = {
      ...plainHeaders,
      'Content-Type': 'application/x-ndjson',
      ...(next ? { 'X-Next-Cursor': next } : {}),
    }
    return { status: 200, headers, body: page.map((row) => `${JSON.stringify(row)}\n`).join('') }
  }
}

function writeCursor({ at, chain, seq }: AuditRecord): string {
  return Buffer.from(JSON.stringify([at, chain, seq])).toString('base64url')
}

function readCursor(text: string): NonNullable<AuditFilter['after']> {
  try {
    const [at, chain, seq] = cursorShape.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')))
    return { at, chain, seq }
  } catch {
    throw new OperatingError('bad_request', 'cursor: not one of ours')
  }
}
