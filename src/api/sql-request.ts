/**
 * A request to the SQL door as ClickHouse's HTTP protocol spells it: the query in `?query=`, in the body, or in both
 * one after the other; `default_format`, `database`, `query_id`, `param_NAME`. Settings cannot be changed: those that
 * only narrow or shape an answer are passed over, and named in the answer's `X-Voicefw-Ignored`; every other is
 * refused, as is what would change the meaning of bytes (compressed blocks, multipart tables, credentials in a URL).
 * Pure.
 */
import { z } from 'zod'
import type { HttpRequest } from '../http/exchange.ts'
import { SqlRefused } from '../storage/sql-check.ts'
import { type SqlAsked, sqlFormats } from '../storage/sql-door.ts'

/** Beside these: `param_NAME`, and settings that are passed over. */
export const sqlQuery = z.looseObject({
  query: z.string().max(65_536).optional(),
  default_format: z.string().max(64).optional(),
  database: z.string().max(64).optional(),
  query_id: z.string().max(100).optional(),
})

export interface SqlAsking extends SqlAsked {
  /** Of the client's own choice; null: none that fits. */
  readonly queryId: string | null
  /** ClickHouse's number of the protocol that format Native is to be written in. */
  readonly protocolVersion: number
  /** Names of settings that were passed over. */
  readonly ignored: readonly string[]
  readonly wantsGzip: boolean
}

/** Sent by clients by habit; without effect on what may be read. */
const settingsPassedOver = new Set([
  ...[
    'add_http_cors_header',
    'cancel_http_readonly_queries_on_client_close',
    'connect_timeout',
    'count_distinct_implementation',
  ],
  ...[
    'date_time_output_format',
    'extremes',
    'format_csv_delimiter',
    'http_headers_progress_interval_ms',
    'http_make_head_request',
  ],
  ...['http_response_buffer_size', 'http_write_exception_in_output_format', 'join_use_nulls', 'limit', 'log_comment'],
  ...['log_queries', 'max_block_size', 'max_execution_time', 'max_memory_usage', 'max_query_size', 'max_result_bytes'],
  ...['max_result_rows', 'max_rows_to_read', 'max_threads', 'output_format_json_quote_64bit_integers'],
  ...['output_format_json_quote_denormals', 'output_format_json_named_tuples_as_objects', 'priority', 'quota_key'],
  ...[
    'readonly',
    'receive_timeout',
    'result_overflow_mode',
    'send_progress_in_http_headers',
    'send_timeout',
    'session_check',
  ],
  ...['session_id', 'session_timeout', 'session_timezone', 'timeout_overflow_mode', 'use_client_time_zone'],
  ...['use_query_cache', 'wait_end_of_query'],
])
/** Read by us. */
const settingsKnown = new Set([
  'client_protocol_version',
  'compress',
  'decompress',
  'enable_http_compression',
  'query_id',
])

const unknownSetting = 115
const unknownDatabase = 81
const unknownFormat = 73
const notImplemented = 48

/** @throws SqlRefused */
export function readSqlRequest(request: HttpRequest, ourDatabase: string): SqlAsking {
  const { headers } = request
  const query = new URLSearchParams(request.query)
  const contentType = headers.get('content-type') ?? ''
  if (/^multipart\//i.test(contentType)) throw new SqlRefused(notImplemented, 'multipart bodies are not taken here')
  if (!/^(identity)?$/i.test(headers.get('content-encoding') ?? '')) {
    throw new SqlRefused(notImplemented, 'send the query uncompressed; only answers are compressed')
  }
  for (const name of ['compress', 'decompress']) {
    if (isOn(query.get(name) ?? '0')) {
      throw new SqlRefused(
        notImplemented,
        `${name}=1 (compressed blocks) is not offered; ask for Accept-Encoding: gzip`,
      )
    }
  }
  checkDatabase(query.get('database') ?? '', ourDatabase)
  checkDatabase(headers.get('x-clickhouse-database') ?? '', ourDatabase)
  const defaultFormat = query.get('default_format') ?? headers.get('x-clickhouse-format') ?? 'TabSeparated'
  if (!sqlFormats.includes(defaultFormat)) {
    throw new SqlRefused(unknownFormat, `Unknown format ${defaultFormat.slice(0, 60)}; one of ${sqlFormats.join(', ')}`)
  }
  const body = request.body.toString('utf8')
  const fromUrl = query.get('query') ?? ''
  const queryId = query.get('query_id') ?? ''
  return {
    text: fromUrl === '' ? body : `${fromUrl} ${body}`,
    ...readNames(query),
    defaultFormat,
    queryId: /^[\w.:-]{1,100}$/.test(queryId) ? queryId : null,
    protocolVersion: readVersion(query.get('client_protocol_version') ?? '0'),
    wantsGzip: acceptsGzip(headers.get('accept-encoding') ?? '') && isOn(query.get('enable_http_compression') ?? '1'),
  }
}

/** Every parameter of the URL is known, or refused. */
function readNames(query: URLSearchParams): { parameters: Record<string, string>; ignored: string[] } {
  const parameters: Record<string, string> = {}
  const ignored: string[] = []
  for (const [name, value] of query) {
    if (/^param_\w{1,60}$/.test(name)) parameters[name.slice(6)] = value
    else if (['user', 'password'].includes(name)) {
      throw new SqlRefused(unknownSetting, 'credentials do not belong in a URL; use Authorization or X-ClickHouse-Key')
    } else if (settingsPassedOver.has(name)) ignored.push(name)
    else if (!settingsKnown.has(name) && !['query', 'default_format', 'database'].includes(name)) {
      throw new SqlRefused(unknownSetting, `setting ${name.slice(0, 60)} cannot be given here`)
    }
  }
  return { parameters, ignored: [...new Set(ignored)] }
}

function checkDatabase(name: string, ourDatabase: string): void {
  if (name === ourDatabase || name === 'default' || name === '') return
  throw new SqlRefused(unknownDatabase, `Database ${name.slice(0, 60)} does not exist`)
}

function readVersion(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new SqlRefused(unknownSetting, 'client_protocol_version is not a number')
  return Number(text)
}

/** As ClickHouse reads a boolean setting. */
function isOn(value: string): boolean {
  return /^(1|true)$/i.test(value)
}

/** RFC 9110, section 12.5.3, as far as gzip is concerned. */
function acceptsGzip(header: string): boolean {
  return header.split(',').some((part) => {
    const [coding = '', ...weights] = part.split(';').map((word) => word.trim().toLowerCase())
    return coding === 'gzip' && !weights.some((weight) => /^q=0(\.0*)?$/.test(weight))
  })
}
