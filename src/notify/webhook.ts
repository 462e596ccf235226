/**
 * One notice as a signed webhook, by the Standard Webhooks convention (standard-webhooks.org, specification 1.0): the
 * signature covers id, time of this attempt and body, so a receiver can tell forgery, replay and duplicates. While
 * secrets are rotated both sign. Main thread.
 *
 *   POST <url>
 *   webhook-id: evt_1767225600000042                the same on every attempt
 *   webhook-timestamp: 1767225600                   seconds, of this attempt
 *   webhook-signature: v1,<base64 of HMAC-SHA256("<id>.<timestamp>.<body>")> v1,...
 *
 *   {"type":"case","timestamp":"2026-...","severity":"high","about":"case/c1","stage":"opened","kind":"irsf",
 *    "data":{...}}
 */
import { createHmac } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import { version } from '../core/project.ts'
import { type Outward, OutwardFailure } from '../http/outward.ts'
import { type Outcome, outcomeOf } from './courier.ts'
import { withMaskedNumbers } from './masking.ts'
import type { Notice } from './notice.ts'

export interface WebhookTarget {
  readonly url: string
  /** One, or two while they are rotated: `whsec_<base64>`, or any text. */
  readonly secrets: readonly string[]
  readonly numbers: 'full' | 'masked'
  readonly allowPrivate: boolean
}

export interface WebhookRooms {
  readonly outward: Outward
  readonly clock: Clock
  readonly timeoutMs: number
}

const secretPrefix = 'whsec_'

export function signature(secret: string, id: string, timestampS: number, body: string): string {
  const key = secret.startsWith(secretPrefix)
    ? Buffer.from(secret.slice(secretPrefix.length), 'base64')
    : Buffer.from(secret)
  return `v1,${createHmac('sha256', key).update(`${id}.${timestampS}.${body}`).digest('base64')}`
}

/** One attempt. A bug of ours throws; everything a receiver may do is an outcome. */
export async function sendWebhook(
  target: WebhookTarget,
  rooms: WebhookRooms,
  notice: Notice,
  signal: AbortSignal,
): Promise<Outcome> {
  const body = bodyOf(notice, target.numbers)
  const nowMs = rooms.clock.wallMs()
  const timestampS = Math.floor(nowMs / 1000)
  const headers = {
    'content-type': 'application/json',
    'user-agent': `voicefw/${version}`,
    'webhook-id': notice.id,
    'webhook-timestamp': String(timestampS),
    'webhook-signature': target.secrets.map((secret) => signature(secret, notice.id, timestampS, body)).join(' '),
  }
  return await outcomeOfRequest(
    rooms.outward({
      method: 'POST',
      url: target.url,
      headers,
      body,
      timeoutMs: rooms.timeoutMs,
      answerBytesMax: 0,
      allowPrivate: target.allowPrivate,
      signal,
    }),
    nowMs,
  )
}

/** What an HTTP receiver's answer, or its silence, comes to. */
export async function outcomeOfRequest(asked: ReturnType<Outward>, nowMs: number): Promise<Outcome> {
  try {
    return outcomeOf(await asked, nowMs)
  } catch (thrown) {
    if (!(thrown instanceof OutwardFailure)) throw thrown
    return { state: 'unavailable', why: thrown.message, afterMs: null }
  }
}

function bodyOf(notice: Notice, numbers: 'full' | 'masked'): string {
  const { type, at, severity, about, stage, kind, data } = notice
  const shown = numbers === 'full' ? data : withMaskedNumbers(data)
  return JSON.stringify({ type, timestamp: at, severity, about, stage, kind, data: shown })
}
