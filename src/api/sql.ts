/**
 * `GET` and `POST /v1/sql`, and `/?query=` where ClickHouse itself has it: our tables in ClickHouse SQL, read-only, in
 * ClickHouse's own HTTP manner, so that its clients (Grafana's data source among them) can point here. Errors come as
 * `Code: 60. DB::Exception: ...` with `X-ClickHouse-Exception-Code`. Every query is audited, its long numbers masked.
 * Main thread.
 */
import { randomUUID } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Identity } from '../access/authenticate.ts'
import { OperatingError } from '../core/errors.ts'
import type { Counters } from '../core/metrics.ts'
import type { HttpAnswer, HttpRequest } from '../http/exchange.ts'
import { problemAnswer } from '../http/problem.ts'
import { SqlRefused } from '../storage/sql-check.ts'
import type { SqlAnswer, SqlDoor } from '../storage/sql-door.ts'
import { StoreError } from '../storage/store.ts'
import { nativeFor } from '../wire/native-blocks.ts'
import type { Audit } from './audit.ts'
import { plainHeaders } from './problem.ts'
import { readSqlRequest, type SqlAsking } from './sql-request.ts'

const compressed = promisify(gzip)
/** Smaller answers are not worth the work. */
const gzipBytesMin = 1024

export interface SqlResourceOptions {
  readonly door: Pick<SqlDoor, 'ask'>
  readonly database: string
  readonly audit: Audit
  readonly counters: Pick<Counters, 'sqlQueries' | 'sqlRefused'>
}

/** ClickHouse's numbers for what is not there, and for what is not allowed. */
const notFoundCodes = [46, 47, 60, 81]
const forbiddenCodes = [164, 497]
const tooManyQueries = 202
/** Their names, which ClickHouse writes last and clients read. */
const errorNames: Readonly<Record<number, string>> = {
  36: 'BAD_ARGUMENTS',
  43: 'ILLEGAL_TYPE_OF_ARGUMENT',
  46: 'UNKNOWN_FUNCTION',
  47: 'UNKNOWN_IDENTIFIER',
  48: 'NOT_IMPLEMENTED',
  53: 'TYPE_MISMATCH',
  60: 'UNKNOWN_TABLE',
  62: 'SYNTAX_ERROR',
  73: 'UNKNOWN_FORMAT',
  81: 'UNKNOWN_DATABASE',
  115: 'UNKNOWN_SETTING',
  159: 'TIMEOUT_EXCEEDED',
  164: 'READONLY',
  241: 'MEMORY_LIMIT_EXCEEDED',
  396: 'TOO_MANY_ROWS_OR_BYTES',
  456: 'UNKNOWN_QUERY_PARAMETER',
  497: 'ACCESS_DENIED',
}

export class SqlResource {
  readonly #options: SqlResourceOptions

  constructor(options: SqlResourceOptions) {
    this.#options = options
  }

  /** ClickHouse's way of being asked whether it is there. */
  ping(): HttpAnswer {
    return told('Ok.\n', {})
  }

  async answer(request: HttpRequest, identity: Identity): Promise<HttpAnswer> {
    const { audit, counters, database, door } = this.#options
    let queryId: string = randomUUID()
    let text = new URLSearchParams(request.query).get('query') ?? ''
    try {
      const asked = readSqlRequest(request, database)
      text = asked.text
      queryId = asked.queryId ?? queryId
      if (text.trim() === '') return told('Ok.\n', { 'X-ClickHouse-Query-Id': queryId })
      const answer = await door.ask(asked)
      const written = await good(answer, asked, queryId)
      counters.sqlQueries += 1
      audit.note(request, identity, { action: 'sql.query', result: 'ok', detail: numberless(text) })
      return written
    } catch (thrown) {
      if (!(thrown instanceof OperatingError)) throw thrown
      counters.sqlRefused += 1
      audit.note(request, identity, { action: 'sql.query', result: thrown.code, detail: numberless(text) })
      return failed(thrown, queryId)
    }
  }
}

async function good(
  { bytes, format, mediaType }: SqlAnswer,
  { protocolVersion, ignored, wantsGzip }: SqlAsking,
  queryId: string,
): Promise<HttpAnswer> {
  const plain = format === 'Native' ? nativeFor(protocolVersion, bytes) : bytes
  const isCompressed = wantsGzip && plain.length >= gzipBytesMin
  const headers = {
    'Content-Type': mediaType,
    'X-ClickHouse-Format': format,
    'X-ClickHouse-Query-Id': queryId,
    'X-ClickHouse-Timezone': 'UTC',
    'X-ClickHouse-Server-Display-Name': 'voicefw',
    ...(ignored.length > 0 ? { 'X-Voicefw-Ignored': ignored.join(', ') } : {}),
    ...(isCompressed ? { 'Content-Encoding': 'gzip' } : {}),
    Vary: 'Accept-Encoding',
    // A page must not be made of what somebody put into a column.
    'Content-Disposition': 'attachment',
  }
  const body = isCompressed ? await compressed(plain, { level: 1 }) : plain
  return { status: 200, headers: { ...plainHeaders, ...headers }, body }
}

function told(body: string, headers: Record<string, string>, status = 200): HttpAnswer {
  return { status, headers: { ...plainHeaders, 'Content-Type': 'text/plain; charset=UTF-8', ...headers }, body }
}

/** What the engine or the check said, as ClickHouse would. What is no matter of the query stays a problem document. */
function failed(thrown: OperatingError, queryId: string): HttpAnswer {
  if (thrown.code === 'capacity_full') {
    const headers = { ...plainHeaders, 'X-ClickHouse-Exception-Code': String(tooManyQueries) }
    return problemAnswer(thrown.code, thrown.message, headers)
  }
  const engineCode = thrown instanceof StoreError || thrown instanceof SqlRefused ? thrown.engineCode : null
  if (engineCode === null) throw thrown
  const status = notFoundCodes.includes(engineCode) ? 404 : forbiddenCodes.includes(engineCode) ? 403 : 400
  const headers = { 'X-ClickHouse-Exception-Code': String(engineCode), 'X-ClickHouse-Query-Id': queryId }
  const name = errorNames[engineCode] ?? `ERROR_${engineCode}`
  const isWhole = thrown.message.startsWith('Code: ')
  const said = isWhole ? thrown.message : `Code: ${engineCode}. DB::Exception: ${thrown.message}`
  return told(`${said}${/\([A-Z_]+\)$/.test(said) ? '' : `. (${name})`}\n`, headers, status)
}

/** A date is none; a number may be written in groups. */
const numberRun = /(?<!\d)(?!\d{4}-\d\d-\d\d(?!\d))\d(?:[-\s()./]{0,3}\d){6,}/g

/** A query without what may be a phone number, or a part of one: the audit is never changed, also by an erasure. */
function numberless(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .replace(numberRun, '***')
    .replace(/\d{5,}/g, '***')
    .trim()
}
