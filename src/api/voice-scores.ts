/**
 * `POST /v1/score/voice`: a recording in the body, judged as `voicefw score` judges a file; nothing is stored. The work
 * is done by a thread of its own (worker/score-thread.ts). Main thread.
 */
import { z } from 'zod'
import { OperatingError } from '../core/errors.ts'
import { labels } from '../decisions/verdict-view.ts'
import { hopFlag } from '../features/hop.ts'
import type { HttpAnswer, HttpRequest } from '../http/exchange.ts'
import type { ScoredChannel } from '../worker/recording-scorer.ts'
import { checkedQuery } from './checked-request.ts'
import { json } from './problem.ts'
import { type ApiRoute, route } from './route-table.ts'
import { count, reason, signalsShape } from './shapes.ts'

/** Content-Type -> how the reader is told that a recording is of this kind: by its name, as files are. */
const extensions: ReadonlyMap<string, string> = new Map([
  ['audio/wav', '.wav'],
  ['audio/x-wav', '.wav'],
  ['audio/wave', '.wav'],
  ['audio/vnd.wave', '.wav'],
  // RFC 2046: mu-law, 8 kHz, one channel.
  ['audio/basic', '.ul'],
  ['audio/pcmu', '.ul'],
])

const scoreQuery = z.strictObject({
  /** Said back as `file`. */
  file: z.string().max(200).default(''),
})

const flags = Object.keys(hopFlag) as [keyof typeof hopFlag, ...(keyof typeof hopFlag)[]]
const channelShape = z.object({
  file: z.string(),
  channel: count,
  label: z.enum(labels),
  score: z.number().min(0).max(1).nullable(),
  confidence: z.number().min(0).max(1),
  netSpeechMs: count,
  audioMs: count,
  windows: z.array(
    z.object({ startMs: z.number(), endMs: z.number(), score: z.number().nullable(), flags: z.array(z.enum(flags)) }),
  ),
  reasons: z.array(reason),
  signals: signalsShape.optional(),
  model: z.string(),
})

export interface VoiceScores {
  /** @throws OperatingError audio_unreadable, capacity_full, worker_lost */
  readonly score: (name: string, body: Uint8Array) => Promise<readonly ScoredChannel[]>
  readonly bodyBytesMax: number
}

export function voiceScoreRoutes({ score, bodyBytesMax }: VoiceScores): ApiRoute[] {
  return [
    route('POST', '/v1/score/voice', 'viewer', 'A recording, judged as a live call would be; nothing is stored', {
      query: scoreQuery,
      body: { mediaTypes: [...extensions.keys()] },
      bodyBytesMax,
      answers: { 200: z.object({ channels: z.array(channelShape) }) },
      problems: ['audio_unreadable', 'worker_lost', 'capacity_full'],
      answer: (request) => answer(request, score),
    }),
  ]
}

async function answer(request: HttpRequest, score: VoiceScores['score']): Promise<HttpAnswer> {
  const type = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() ?? ''
  const extension = extensions.get(type)
  if (extension === undefined) {
    const known = [...extensions.keys()].join(', ')
    throw new OperatingError('media_type_unsupported', `Content-Type: one of ${known}`, { got: type })
  }
  const { file } = checkedQuery(scoreQuery, request.query)
  const channels = await score(`body${extension}`, new Uint8Array(request.body))
  return json(200, { channels: channels.map((channel) => ({ ...channel, file })) })
}
