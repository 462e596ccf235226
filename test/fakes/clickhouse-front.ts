/**
 * ClickHouse's HTTP protocol in front of the real engine (an embedded store): /ping, the query in the body or in
 * ?query=, param_x, settings in the URL, JSONEachRow answers, X-ClickHouse-Summary and the exception header. Faults
 * are injected into inserts, one each, in order.
 *
 *   POST /?query=INSERT+INTO+t+(a)+FORMAT+JSONCompactEachRow&insert_deduplication_token=x     body: rows
 *   POST /?param_x=1                                       body: SELECT ... FORMAT JSONEachRow
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type SqlStore, type Store, StoreError } from '../../src/storage/store.ts'

export type FrontFault =
  /** The connection is reset after a part of the body. */
  | 'reset_mid_body'
  /** Stored, then 500: the client cannot know. */
  | 'error_after_writing'
  /** Stored, then the connection is reset without an answer. */
  | 'reset_after_writing'
  /** Stored, and answered later than the client waits. */
  | 'slow'
  /** Status 200, the exception in the header only, as when it happens late. */
  | 'exception_with_200'

export class ClickHouseFront {
  readonly #engine: Store & SqlStore
  readonly #server: Server
  readonly inserts: string[] = []
  faults: FrontFault[] = []
  slowMs = 1500
  port = 0

  /** Settings of the last query that was asked read-only. */
  asked: Record<string, string> = {}

  constructor(engine: Store & SqlStore) {
    this.#engine = engine
    this.#server = createServer((request, response) => void this.#answer(request, response))
    this.#server.keepAliveTimeout = 3000
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Listens on the port it had before, so that it can go away and come back. */
  async listen(): Promise<void> {
    await new Promise<void>((done) => this.#server.listen(this.port, '127.0.0.1', done))
    this.port = (this.#server.address() as AddressInfo).port
  }

  /** From now on connections are refused. */
  async refuse(): Promise<void> {
    const closed = new Promise((done) => this.#server.close(done))
    this.#server.closeAllConnections()
    await closed
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://front')
    if (url.pathname === '/ping') {
      response.end('Ok.\n')
      return
    }
    const isInsert = /^\s*INSERT/i.test(url.searchParams.get('query') ?? '')
    const fault = isInsert ? this.faults.shift() : undefined
    const body = fault === 'reset_mid_body' ? await firstPart(request) : await wholeBody(request)
    if (fault === 'reset_mid_body') {
      request.socket.resetAndDestroy()
      return
    }
    try {
      const isAsked = url.searchParams.get('readonly') === '1'
      const sql = body.toString('utf8')
      const text = isInsert
        ? await this.#insert(url, body)
        : isAsked
          ? await this.#ask(url, sql)
          : await this.#query(url, sql)
      await this.#deliver(response, fault, text)
    } catch (thrown) {
      const error = thrown instanceof StoreError ? thrown : new StoreError('internal', String(thrown), 1002, false)
      sendException(response, error.engineCode ?? 1002, error.message, 500)
    }
  }

  async #deliver(response: ServerResponse, fault: FrontFault | undefined, text: string | Uint8Array): Promise<void> {
    if (fault === 'reset_after_writing') {
      response.socket?.resetAndDestroy()
      return
    }
    if (fault === 'slow') await new Promise((done) => setTimeout(done, this.slowMs))
    if (fault === 'error_after_writing') {
      sendException(response, 209, 'Timeout exceeded while writing to socket. (SOCKET_TIMEOUT)', 500)
      return
    }
    if (fault === 'exception_with_200') {
      sendException(response, 241, 'Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)', 200)
      return
    }
    response.setHeader('X-ClickHouse-Summary', '{"read_rows":"0","written_rows":"0"}')
    response.end(text)
  }

  async #insert(url: URL, body: Buffer): Promise<string> {
    const query = url.searchParams.get('query') ?? ''
    const parts = /^INSERT INTO (\S+) \(([^)]*)\) FORMAT JSONCompactEachRow$/.exec(query)
    if (parts === null) throw new StoreError('internal', `Syntax error: ${query}. (SYNTAX_ERROR)`, 62, false)
    const [, table = '', columns = ''] = parts
    const token = url.searchParams.get('insert_deduplication_token') ?? ''
    this.inserts.push(token)
    const names = columns.split(', ').map((name) => name.replaceAll('`', ''))
    await this.#engine.insert(table.replaceAll('`', ''), names, body, token)
    return ''
  }

  /** With the limits and row filters that came as settings: what did not come along is not held to. */
  async #ask(url: URL, body: string): Promise<Uint8Array> {
    const [, sql = '', format = ''] = /^(.*)\nFORMAT (\w+)$/s.exec(body) ?? []
    const setting = (name: string): string => url.searchParams.get(name) ?? ''
    this.asked = Object.fromEntries(url.searchParams)
    const parameters = Object.fromEntries(
      [...url.searchParams]
        .filter(([name]) => name.startsWith('param_'))
        .map(([name, value]) => [name.slice(6), value]),
    )
    const limits = {
      rowsMax: Number(setting('max_result_rows')),
      answerBytesMax: Number(setting('max_result_bytes')),
      timeMs: Number(setting('max_execution_time')) * 1000,
      memoryBytesMax: Number(setting('max_memory_usage')),
    }
    const filters = [...setting('additional_table_filters').matchAll(/'([\w.]+)':'((?:[^'\\]|\\.)*)'/g)]
    const rowFilters = Object.fromEntries(filters.map(([, table, text = '']) => [table, text.replace(/\\(.)/g, '$1')]))
    return await this.#engine.ask({ sql, parameters, format, limits, rowFilters })
  }

  async #query(url: URL, body: string): Promise<string> {
    const sql = (url.searchParams.get('query') ?? body).trim()
    const select = sql.replace(/\s+FORMAT JSONEachRow$/i, '')
    const parameters: Record<string, string> = {}
    for (const [key, value] of url.searchParams)
      if (key.startsWith('param_')) parameters[key.slice(6)] = unescaped(value)
    if (select === sql && !/^\s*(SELECT|WITH)/i.test(sql)) {
      await this.#engine.command(sql)
      return ''
    }
    const rows = await this.#engine.query(select, parameters)
    return rows.map((row) => `${JSON.stringify(row)}\n`).join('')
  }
}

const escapes: Record<string, string> = { t: '\t', n: '\n', r: '\r', '0': '\0', b: '\b', f: '\f' }

/** Parameters travel as a field of TabSeparated. */
function unescaped(value: string): string {
  return value.replace(/\\(.)/gs, (_, letter: string) => escapes[letter] ?? letter)
}

function sendException(response: ServerResponse, code: number, message: string, status: number): void {
  response.statusCode = status
  response.setHeader('X-ClickHouse-Exception-Code', String(code))
  const text = message.startsWith('Code: ') ? message : `Code: ${code}. DB::Exception: ${message}`
  response.end(/\([A-Z_]{3,}\)$/.test(text) ? text : `${text} (ERROR_${code})`)
}

async function wholeBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

async function firstPart(request: IncomingMessage): Promise<Buffer> {
  return await new Promise((done) => request.once('data', (chunk: Buffer) => done(chunk)))
}
