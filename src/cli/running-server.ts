/**
 * A command beside a running server asks that server, with an admin key that it makes for the moment and revokes
 * after. A server runs when it owns the spool of the data directory.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { ApiKeys } from '../access/api-keys.ts'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import { ownerOf } from '../log/owner.ts'

export interface RunningServer {
  /** @throws OperatingError with what the server says */
  ask(method: 'GET' | 'POST', path: string, body?: object): Promise<unknown>
}

/** A server notices a new key within a second. */
const keyNoticedMs = 3000
const keyLivesMs = 86_400_000

export function isServerRunning({ dataDir }: Config): boolean {
  return ownerOf(`${dataDir}/spool`) !== null
}

/** @param url where it listens; default: as configured */
export async function withServer<T>(
  { config, clock }: { readonly config: Config; readonly clock: Clock },
  url: string | undefined,
  work: (server: RunningServer) => Promise<T>,
): Promise<T> {
  const { host, port, tls } = config.server
  const base = url ?? `${tls === null ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`
  const keys = new ApiKeys({ dataDir: config.dataDir, clock, random: randomBytes })
  const expiresAt = new Date(clock.wallMs() + keyLivesMs).toISOString()
  const made = keys.create('admin', `command line, process ${process.pid}`, { expiresAt })
  const sinceMs = clock.steadyMs()
  const ask: RunningServer['ask'] = async (method, path, body) => {
    for (;;) {
      const response = await sent(new URL(path, base), method, made.key, body)
      if (response.status === 401 && clock.steadyMs() - sinceMs < keyNoticedMs) {
        await sleep(200)
        continue
      }
      return await answerOf(response)
    }
  }
  try {
    return await work({ ask })
  } finally {
    keys.revoke(made.id)
  }
}

async function sent(target: URL, method: string, key: string, body?: object): Promise<Response> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  try {
    return await fetch(target, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  } catch (thrown) {
    const { cause } = thrown as { cause?: unknown }
    const why = `${target.origin} does not answer: ${messageOf(cause ?? thrown)}`
    throw new OperatingError('storage_unavailable', `a server runs here, but ${why}; say where with --url`)
  }
}

async function answerOf(response: Response): Promise<unknown> {
  const body: unknown = await response.json().catch(() => null)
  if (body === null) {
    const what = `what answers at ${new URL(response.url).origin} is no voicefw (${response.status})`
    throw new OperatingError('storage_unavailable', `${what}; say with --url where it listens`)
  }
  if (response.ok) return body
  const { code = '', detail = '' } = z
    .object({ code: z.string().optional(), detail: z.string().optional() })
    .parse(body)
  throw new OperatingError('storage_unavailable', `the server answers ${response.status} ${code}: ${detail}`)
}
