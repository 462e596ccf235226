/** The URLs of the SQL door, ours and ClickHouse's own; part of the table in routes.ts. Pure. */
import type { Identity } from '../access/authenticate.ts'
import type { HttpRequest } from '../http/exchange.ts'
import { type ApiRoute, open, route } from './route-table.ts'
import type { SqlResource } from './sql.ts'
import { sqlQuery } from './sql-request.ts'

export interface SqlParts {
  readonly resource: SqlResource
  readonly bodyBytesMax: number
}

const text = (mediaType: string, description: string) => ({ mediaTypes: [mediaType], description })
/** What a query got wrong is told as ClickHouse tells it, with its media type. */
const said = text('text/plain; charset=UTF-8', 'Code: N. DB::Exception: ..., as ClickHouse says it')

/** Null: the door is shut (config sql.enabled). */
export function sqlRoutes(sql: SqlParts | null): ApiRoute[] {
  if (sql === null) return []
  const { resource, bodyBytesMax } = sql
  const asked = {
    scope: 'sql',
    showsNumbers: true,
    query: sqlQuery,
    answers: { 200: text('*/*', 'Rows, in the format asked for'), 400: said, 403: said, 404: said },
    problems: ['storage_unavailable', 'storage_rejected', 'capacity_full'],
    answer: (request: HttpRequest, identity: Identity) => resource.answer(request, identity),
  } as const
  // ClickHouse's clients write their queries in chunks.
  const posted = { ...asked, body: {}, bodyBytesMax, acceptsChunked: true }
  const pong = { answers: { 200: text('text/plain; charset=UTF-8', 'Ok.') }, answer: () => resource.ping() }
  return [
    route('GET', '/v1/sql', 'viewer', 'Our tables in ClickHouse SQL, read-only', asked),
    route('POST', '/v1/sql', 'viewer', 'Our tables in ClickHouse SQL, read-only; the query is the body', posted),
    route('GET', '/', 'viewer', 'Like /v1/sql, where ClickHouse has it', { ...asked, onlyWith: 'query' }),
    route('POST', '/', 'viewer', 'Like /v1/sql, where ClickHouse has it; the query is the body', posted),
    open('GET', '/ping', 'Whether the SQL door answers, as ClickHouse has it', pong),
    open('GET', '/v1/sql/ping', 'Whether the SQL door answers', pong),
  ]
}
