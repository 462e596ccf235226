/**
 * The server back end: a ClickHouse server or cluster over HTTP (the only importer of @clickhouse/client). Rows go
 * out as the same JSONCompactEachRow bytes and tokens as to the embedded engine. What the server said becomes our
 * codes; a connection that broke or a time that ran out says nothing about whether rows were stored. Main thread.
 */
import { Readable } from 'node:stream'
import { ClickHouseError, type ClickHouseSettings, createClient, drainStream } from '@clickhouse/client'
import { messageOf } from '../core/errors.ts'
import type { SqlQuestion } from './chdb-protocol.ts'
import {
  type DumpStore,
  engineSettings,
  insertError,
  queryError,
  quotedName,
  type SqlStore,
  type Store,
  StoreError,
  sqlSettings,
} from './store.ts'

export interface ServerStoreOptions {
  readonly url: string
  readonly username: string
  readonly password: string
  readonly database: string
  readonly requestTimeoutMs: number
}

type Client = ReturnType<typeof createClient>

/** Below the keep-alive of every ClickHouse (3 s at the least), or a request meets a socket that is being closed. */
const idleSocketMs = 2000
const connectionsMax = 8

export class ServerStore implements Store, SqlStore, DumpStore {
  readonly #options: ServerStoreOptions
  readonly #client: Client
  #up = false

  constructor(options: ServerStoreOptions) {
    this.#options = options
    this.#client = this.#clientFor(options.database)
  }

  /** @throws StoreError storage_unavailable when the server does not answer; may be called again. */
  async start(): Promise<void> {
    const anyDatabase = this.#clientFor('default')
    try {
      const query = `CREATE DATABASE IF NOT EXISTS ${quotedName(this.#options.database)}`
      await this.#guard(queryError, () => anyDatabase.command({ query }))
    } finally {
      await anyDatabase.close()
    }
  }

  state(): 'up' | 'down' {
    return this.#up ? 'up' : 'down'
  }

  async insert(table: string, columns: readonly string[], rows: Uint8Array, token: string): Promise<void> {
    const query = `INSERT INTO ${quotedName(table)} (${columns.map(quotedName).join(', ')}) FORMAT JSONCompactEachRow`
    await this.#guard(insertError, async () => {
      const answer = await this.#client.exec({
        query,
        values: Readable.from([rows], { objectMode: false }),
        clickhouse_settings: { insert_deduplication_token: token },
      })
      await drainStream(answer.stream)
    })
  }

  async query(sql: string, parameters: Record<string, string | number>): Promise<Record<string, unknown>[]> {
    return await this.#guard(queryError, async () => {
      const result = await this.#client.query({ query: sql, query_params: parameters, format: 'JSONEachRow' })
      return await result.json<Record<string, unknown>>()
    })
  }

  /** The answer is held back until it is complete: an error that comes late is an error, not the end of an answer. */
  async ask(question: SqlQuestion): Promise<Uint8Array> {
    const { sql, parameters, format, limits } = question
    // Beside the settings, since `query_params` would escape a second time what is written for the wire.
    const written = Object.entries(parameters).map(([name, field]) => [`param_${name}`, field])
    const settings = { ...Object.fromEntries(written), wait_end_of_query: '1', ...sqlSettings(question) }
    return await this.#guard(queryError, async () => {
      const { stream } = await this.#client.exec({
        query: `${sql}\nFORMAT ${format}`,
        clickhouse_settings: settings as ClickHouseSettings,
      })
      const chunks: Buffer[] = []
      let bytes = 0
      for await (const chunk of stream) {
        bytes += (chunk as Buffer).length
        if (bytes > limits.answerBytesMax) break
        chunks.push(chunk as Buffer)
      }
      if (bytes > limits.answerBytesMax) throw answerTooLong(limits.answerBytesMax)
      return Buffer.concat(chunks)
    })
  }

  async dump(sql: string): Promise<Uint8Array> {
    return await this.#guard(queryError, async () => {
      const { stream } = await this.#client.exec({ query: `${sql}\nFORMAT JSONCompactEachRow` })
      const chunks: Buffer[] = []
      for await (const chunk of stream) chunks.push(chunk as Buffer)
      return Buffer.concat(chunks)
    })
  }

  async command(sql: string): Promise<void> {
    await this.#guard(queryError, () => this.#client.command({ query: sql }))
  }

  async close(): Promise<void> {
    await this.#client.close()
    this.#up = false
  }

  #clientFor(database: string): Client {
    const { url, username, password, requestTimeoutMs } = this.#options
    return createClient({
      url,
      username,
      password,
      database,
      application: 'voicefw',
      request_timeout: requestTimeoutMs,
      max_open_connections: connectionsMax,
      keep_alive: { enabled: true, idle_socket_ttl: idleSocketMs, eagerly_destroy_stale_sockets: true },
      compression: { request: false, response: false },
      clickhouse_settings: engineSettings(requestTimeoutMs) as ClickHouseSettings,
      log: { LoggerClass: Quiet },
    })
  }

  async #guard<T>(
    errorOf: (engineCode: number | null, message: string, cause: unknown) => StoreError,
    work: () => Promise<T>,
  ): Promise<T> {
    try {
      const result = await work()
      this.#up = true
      return result
    } catch (thrown) {
      if (thrown instanceof StoreError) throw thrown
      const spoke = thrown instanceof ClickHouseError
      const engineCode = spoke ? Number(thrown.code) : null
      // A server that answers with an error is there; silence, a reset or a refusal means it is not.
      this.#up = spoke
      const message = messageOf(thrown) === '' ? String((thrown as { code?: unknown }).code) : messageOf(thrown)
      throw errorOf(engineCode, spoke ? message : `no answer from ClickHouse: ${message}`, thrown)
    }
  }
}

/** TOO_MANY_ROWS_OR_BYTES; the engine counts a constant once, however many rows it is written out in. */
function answerTooLong(bytesMax: number): StoreError {
  const said = `Limit for result exceeded, max bytes: ${bytesMax}`
  return new StoreError('storage_rejected', said, 396, false)
}

/** The client's own log repeats what we throw, with queries in it. */
class Quiet {
  trace(): void {}
  debug(): void {}
  info(): void {}
  warn(): void {}
  error(): void {}
}
