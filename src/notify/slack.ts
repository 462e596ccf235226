/**
 * A message to a Slack channel by its incoming webhook: `POST <webhookUrl> {"text": "..."}`. The URL is the secret; it
 * never appears in a log or an error. Main thread.
 */
import type { Clock } from '../core/clock.ts'
import type { Outward } from '../http/outward.ts'
import type { Outcome } from './courier.ts'
import { outcomeOfRequest } from './webhook.ts'

export interface SlackRooms {
  readonly outward: Outward
  readonly clock: Clock
  readonly timeoutMs: number
}

export function sendSlack(
  target: { readonly webhookUrl: string; readonly allowPrivate: boolean },
  rooms: SlackRooms,
  text: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const asked = rooms.outward({
    method: 'POST',
    url: target.webhookUrl,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text, unfurl_links: false, unfurl_media: false }),
    timeoutMs: rooms.timeoutMs,
    answerBytesMax: 0,
    allowPrivate: target.allowPrivate,
    signal,
  })
  return outcomeOfRequest(asked, rooms.clock.wallMs())
}
