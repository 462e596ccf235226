/**
 * The embedded ClickHouse: the only importer of chdb, in a child process of its own (in a worker thread it takes the
 * process down when the thread ends). Answers requests by id over IPC. It dies with its parent, at once and whatever
 * it is doing, so that no orphan keeps the data directory locked; what it had confirmed is on disk. Child process.
 */
import { setPriority } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Session } from 'chdb'
import type { ChdbOpenOptions, ChdbReply, ChdbRequest, SqlQuestion } from './chdb-protocol.ts'
import { plainParameter } from './sql-parameters.ts'
import { sqlSettings } from './store.ts'

type Chdb = typeof import('chdb')

/** Below sockets and inference: on a busy machine rows wait on disk, audio cannot. */
const niceness = 5
const lockRetryMs = 200

let session: Session | null = null
/** For other people's queries; settings belong to a session, and this one's cannot be changed any more. */
let readOnly: Promise<Session> | null = null
let openFor: ((question: SqlQuestion) => Promise<Session>) | null = null

class OpenFailure extends Error {
  readonly reason: 'module_missing' | 'not_opened'

  constructor(reason: 'module_missing' | 'not_opened', cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause))
    this.reason = reason
  }
}

async function open(options: ChdbOpenOptions): Promise<void> {
  let chdb: Chdb
  try {
    const loaded = (await import(options.module)) as Chdb & { default?: Chdb }
    chdb = loaded.default ?? loaded
  } catch (thrown) {
    throw new OpenFailure('module_missing', thrown)
  }
  const opened = await openSession(chdb, options)
  const database = `\`${options.database}\``
  await opened.queryAsync(`CREATE DATABASE IF NOT EXISTS ${database}`)
  await opened.queryAsync(`USE ${database}`)
  session = opened
  openFor = (question) => openReadOnly(chdb, options, question)
}

/** The limits and filters are those of the first question; the door has one set for all. */
async function openReadOnly(chdb: Chdb, options: ChdbOpenOptions, question: SqlQuestion): Promise<Session> {
  const opened = new chdb.Session(options.path, { connectionArgs: options.connectionArgs })
  await opened.queryAsync(`USE \`${options.database}\``)
  for (const [name, value] of Object.entries(sqlSettings(question))) {
    const quoted = value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")
    await opened.queryAsync(`SET ${name} = '${quoted}'`)
  }
  return opened
}

/** TOO_MANY_ROWS_OR_BYTES */
function answerTooLong(bytesMax: number): Error {
  return Object.assign(new Error(`Limit for result exceeded, max bytes: ${bytesMax}`), { clickhouseCode: 396 })
}

async function ask(question: SqlQuestion): Promise<Uint8Array> {
  const { sql, parameters, format, limits } = question
  if (openFor === null) throw new OpenFailure('not_opened', new Error('the engine is not open'))
  readOnly ??= openFor(question)
  const asked = await readOnly.catch((thrown: unknown) => {
    readOnly = null
    throw thrown
  })
  const plain = Object.entries(parameters).map(([name, field]) => [name, plainParameter(field)])
  const result =
    plain.length > 0
      ? await asked.queryBindAsync(sql, Object.fromEntries(plain), { format })
      : await asked.queryAsync(sql, { format })
  const bytes = result.bytes()
  // The engine counts a constant once, however many rows it is written out in.
  if (bytes.length > limits.answerBytesMax) throw answerTooLong(limits.answerBytesMax)
  return Buffer.from(bytes)
}

async function dump(sql: string): Promise<Uint8Array> {
  if (session === null) throw new OpenFailure('not_opened', new Error('the engine is not open'))
  return Buffer.from((await session.queryAsync(sql, { format: 'JSONCompactEachRow' })).bytes())
}

/** A process that was killed a moment ago may still hold the lock (ClickHouse code 76, said on stderr only). */
async function openSession(chdb: Chdb, options: ChdbOpenOptions): Promise<Session> {
  const attempts = Math.max(1, Math.ceil(options.lockWaitMs / lockRetryMs))
  for (let attempt = 1; ; attempt += 1) {
    try {
      return new chdb.Session(options.path, { connectionArgs: options.connectionArgs })
    } catch (thrown) {
      if (attempt >= attempts) throw new OpenFailure('not_opened', thrown)
      await sleep(lockRetryMs)
    }
  }
}

async function answer(request: Exclude<ChdbRequest, { op: 'ask' } | { op: 'dump' }>): Promise<string> {
  if (request.op === 'open') {
    await open(request.options)
    return ''
  }
  if (request.op === 'close') {
    ;(await readOnly?.catch(() => null))?.close()
    readOnly = null
    session?.close()
    session = null
    return ''
  }
  if (session === null) throw new OpenFailure('not_opened', new Error('the engine is not open'))
  if (request.op === 'insert') {
    await session.insert({
      table: request.table,
      columns: request.columns,
      values: request.rows,
      format: 'JSONCompactEachRow',
      settings: { insert_deduplication_token: request.token },
    })
    return ''
  }
  if (request.op === 'command') {
    await session.queryAsync(request.sql)
    return ''
  }
  const bound = Object.keys(request.parameters).length > 0
  const result = bound
    ? await session.queryBindAsync(request.sql, request.parameters, { format: 'JSONEachRow' })
    : await session.queryAsync(request.sql, { format: 'JSONEachRow' })
  return result.text()
}

function failure(id: number, thrown: unknown): ChdbReply {
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  if (thrown instanceof OpenFailure) return { id, ok: false, reason: thrown.reason, engineCode: null, message }
  const code = (thrown as { clickhouseCode?: unknown }).clickhouseCode
  return { id, ok: false, reason: 'engine', engineCode: typeof code === 'number' ? code : null, message }
}

function send(reply: ChdbReply): void {
  if (process.connected) process.send?.(reply)
}

async function serve(request: ChdbRequest): Promise<void> {
  try {
    if (request.op === 'ask') send({ id: request.id, ok: true, text: '', bytes: await ask(request.question) })
    else if (request.op === 'dump') send({ id: request.id, ok: true, text: '', bytes: await dump(request.sql) })
    else send({ id: request.id, ok: true, text: await answer(request) })
  } catch (thrown) {
    send(failure(request.id, thrown))
  }
}

// Ctrl-C reaches the whole process group; the parent decides when we end.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
process.on('message', (request: ChdbRequest) => void serve(request))
setPriority(niceness)
