/**
 * `GET` and `POST /v1/sql`: our tables in ClickHouse SQL, read-only, in ClickHouse's own HTTP manner, so that its
 * clients (Grafana's data source among them) can point here: the query in `?query=`, in the body, or in both one after
 * the other; `FORMAT` or `default_format`; `param_NAME` for `{NAME:Type}`; errors as `Code: 60. DB::Exception: ...`
 * with `X-ClickHouse-Exception-Code`. Settings cannot be changed; those that clients send by habit are passed over.
 * Every query is audited, its long numbers masked. Main thread.
 */
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import type { Identity } from '../access/authenticate.ts'
import { OperatingError } from '../core/errors.ts'
import type { Counters } from '../core/metrics.ts'
import type { HttpAnswer, HttpRequest } from '../http/exchange.ts'
import { SqlRefused } from '../storage/sql-check.ts'
import { type SqlAnswer, type SqlDoor, sqlFormats } from '../storage/sql-door.ts'
import { StoreError } from '../storage/store.ts'
import type { Audit } from './audit.ts'
import { plainHeaders } from './problem.ts'

/** Beside these: `param_NAME`, and settings that are passed over. */
export const sqlQuery = z.looseObject({
  query: z.string().max(65_536).optional(),
  default_format: z.enum(sqlFormats).optional(),
  database: z.string().max(64).optional(),
  query_id: z.string().max(100).optional(),
})

/** Sent by clients by habit; without effect on what may be read. */
const settingsPassedOver = new Set([
  ...['add_http_cors_header', 'cancel_http_readonly_queries_on_client_close', 'client_protocol_version', 'compress'],
  ...['date_time_output_format', 'decompress', 'enable_http_compression', 'http_write_exception_in_output_format'],
  ...['log_queries', 'max_block_size', 'max_execution_time', 'max_result_rows', 'max_rows_to_read', 'max_threads'],
  ...[
    'output_format_json_quote_64bit_integers',
    'output_format_json_quote_denormals',
    'readonly',
    'result_overflow_mode',
  ],
  ...[
    'send_progress_in_http_headers',
    'session_id',
    'session_timeout',
    'wait_end_of_query',
    'http_headers_progress_interval_ms',
  ],
])

export interface SqlResourceOptions {
  readonly door: Pick<SqlDoor, 'ask'>
  readonly database: string
  readonly audit: Audit
  readonly counters: Pick<Counters, 'sqlQueries' | 'sqlRefused'>
}

/** ClickHouse's numbers for what is not there, and for what is not allowed. */
const notFoundCodes = [46, 47, 60, 81]
const forbiddenCodes = [164, 497]
const unknownSetting = 115
const unknownDatabase = 81
const unknownFormat = 73

export class SqlResource {
  readonly #options: SqlResourceOptions

  constructor(options: SqlResourceOptions) {
    this.#options = options
  }

  async answer(request: HttpRequest, identity: Identity): Promise<HttpAnswer> {
    const { audit, counters } = this.#options
    const queryId = randomUUID()
    let text = ''
    try {
      const asked = this.#read(request)
      text = asked.text
      if (text.trim() === '') return told('Ok.\n', { 'X-ClickHouse-Query-Id': queryId })
      const answer = await this.#options.door.ask(asked)
      counters.sqlQueries += 1
      audit.note(request, identity, { action: 'sql.query', result: 'ok', detail: numberless(text) })
      return good(answer, queryId)
    } catch (thrown) {
      if (!(thrown instanceof OperatingError)) throw thrown
      counters.sqlRefused += 1
      audit.note(request, identity, { action: 'sql.query', result: thrown.code, detail: numberless(text) })
      return failed(thrown, queryId)
    }
  }

  #read(request: HttpRequest): { text: string; parameters: Record<string, string>; defaultFormat: string } {
    const parameters: Record<string, string> = {}
    let fromUrl = ''
    let defaultFormat = request.headers.get('x-clickhouse-format') ?? 'TabSeparated'
    for (const [name, value] of new URLSearchParams(request.query)) {
      if (name === 'query') fromUrl = value
      else if (name === 'default_format') defaultFormat = value
      else if (name === 'database') this.#checkDatabase(value)
      else if (/^param_\w{1,60}$/.test(name)) parameters[name.slice(6)] = value
      else if (['user', 'password', 'quota_key', 'role'].includes(name)) {
        throw new SqlRefused(
          unknownSetting,
          'credentials do not belong in a URL; use Authorization or X-ClickHouse-Key',
        )
      } else if (name !== 'query_id' && !settingsPassedOver.has(name)) {
        throw new SqlRefused(unknownSetting, `setting ${name.slice(0, 60)} cannot be given here`)
      }
    }
    if (!sqlFormats.includes(defaultFormat)) {
      throw new SqlRefused(unknownFormat, `format: one of ${sqlFormats.join(', ')}`)
    }
    this.#checkDatabase(request.headers.get('x-clickhouse-database') ?? this.#options.database)
    const body = request.body.toString('utf8')
    return { text: fromUrl === '' ? body : `${fromUrl} ${body}`, parameters, defaultFormat }
  }

  #checkDatabase(name: string): void {
    if (name === this.#options.database || name === 'default' || name === '') return
    throw new SqlRefused(unknownDatabase, `Database ${name.slice(0, 60)} does not exist`)
  }
}

function good({ bytes, format, mediaType }: SqlAnswer, queryId: string): HttpAnswer {
  const headers = {
    'Content-Type': mediaType,
    'X-ClickHouse-Format': format,
    'X-ClickHouse-Query-Id': queryId,
    'X-ClickHouse-Timezone': 'UTC',
    // A page must not be made of what somebody put into a column.
    'Content-Disposition': 'attachment',
  }
  return { status: 200, headers: { ...plainHeaders, ...headers }, body: bytes }
}

function told(body: string, headers: Record<string, string>, status = 200): HttpAnswer {
  return { status, headers: { ...plainHeaders, 'Content-Type': 'text/plain; charset=UTF-8', ...headers }, body }
}

/** What the engine or the check said, as ClickHouse would. What is no matter of the query stays a problem document. */
function failed(thrown: OperatingError, queryId: string): HttpAnswer {
  const engineCode = thrown instanceof StoreError || thrown instanceof SqlRefused ? thrown.engineCode : null
  if (engineCode === null) throw thrown
  const status = notFoundCodes.includes(engineCode) ? 404 : forbiddenCodes.includes(engineCode) ? 403 : 400
  const headers = { 'X-ClickHouse-Exception-Code': String(engineCode), 'X-ClickHouse-Query-Id': queryId }
  const said = thrown.message.startsWith('Code: ')
    ? thrown.message
    : `Code: ${engineCode}. DB::Exception: ${thrown.message}`
  return told(`${said}\n`, headers, status)
}

/** A query without what may be a phone number. */
function numberless(text: string): string {
  return text
    .replace(/\d{5,}/g, '***')
    .replace(/\s+/g, ' ')
    .trim()
}
