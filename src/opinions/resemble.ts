/**
 * Resemble Detect: one file, asked to wait, polled when it does not. Their aggregated score is the probability that the
 * audio is fake; scores come as text. The file is not kept there (`zero_retention_mode`). Main thread.
 *
 *   POST {base}/detect           Authorization: Bearer KEY, Prefer: wait; multipart: file, frame_length, ...
 *   GET  {base}/detect/{uuid}    until item.status is completed or failed
 *   <- {"success":true,"item":{"uuid":"...","status":"completed","metrics":{"label":"fake","aggregated_score":"0.93"}}}
 *   <- 402 {"success":false,"message":"..."}     no entitlement; 429: about 40 requests a second a token
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Outward, OutwardAnswer } from '../http/outward.ts'
import {
  asFailure,
  failureOfStatus,
  OpinionFailure,
  type OpinionSession,
  type OpinionVendor,
  parseObject,
  probability,
  type VendorScore,
} from './opinion.ts'
import { RecordedAudio } from './recorded-audio.ts'

export interface FileVendorOptions {
  readonly name: string
  readonly url: string
  readonly apiKey: string
  readonly allowPrivate: boolean
  readonly timeoutMs: number
  /** ms between looks at an answer that is not ready. */
  readonly pollMs: number
  readonly outward: Outward
}

const answerBytesMax = 262_144
/** Looks at one answer; the time limit ends them sooner. */
const pollsMax = 60

export function resemble(options: FileVendorOptions): OpinionVendor {
  return { name: options.name, start: () => fileSession((wav, signal) => detect(options, wav, signal)) }
}

/** A session of any vendor that is handed a whole file. */
export function fileSession(ask: (wav: Buffer, signal: AbortSignal) => Promise<VendorScore>): OpinionSession {
  const audio = new RecordedAudio()
  const stop = new AbortController()
  return {
    pushAudio: (mulaw) => audio.push(mulaw),
    score: async () => {
      try {
        return await ask(audio.wav(), stop.signal)
      } catch (thrown) {
        throw asFailure(thrown)
      }
    },
    close: () => stop.abort(),
  }
}

async function detect(options: FileVendorOptions, wav: Buffer, signal: AbortSignal): Promise<VendorScore> {
  const { outward, url, apiKey, allowPrivate, timeoutMs, pollMs } = options
  const headers = { authorization: `Bearer ${apiKey}`, accept: 'application/json' }
  const shared = { timeoutMs, answerBytesMax, allowPrivate, signal }
  const { type, body } = multipart(wav, { frame_length: '2', zero_retention_mode: 'true' })
  let answer = await outward({
    method: 'POST',
    url: `${url}/detect`,
    headers: { ...headers, prefer: 'wait', 'content-type': type },
    body,
    ...shared,
  })
  for (let polls = 0; ; polls += 1) {
    const item = itemOf(answer)
    if (item['status'] !== 'processing') return scoreOf(item)
    if (polls === pollsMax) throw new OpinionFailure('timeout', 'still processing')
    if (typeof item['uuid'] !== 'string') throw new OpinionFailure('garbled', 'an item without a uuid')
    await sleep(pollMs, undefined, { signal }).catch(() => {
      throw new OpinionFailure('timeout', 'given up')
    })
    const path = `${url}/detect/${encodeURIComponent(item['uuid'])}`
    answer = await outward({ method: 'GET', url: path, headers, ...shared })
  }
}

function itemOf(answer: OutwardAnswer): Record<string, unknown> {
  if (answer.status < 200 || answer.status > 299) throw failureOfStatus(answer)
  const { success, item } = parseObject(answer.body.toString())
  if (success !== true) throw new OpinionFailure('refused', 'the answer says that it did not succeed')
  if (typeof item !== 'object' || item === null) throw new OpinionFailure('garbled', 'an answer without an item')
  return item as Record<string, unknown>
}

function scoreOf({ status, metrics }: Record<string, unknown>): VendorScore {
  if (status === 'failed') throw new OpinionFailure('refused', 'the item failed')
  if (status !== 'completed') throw new OpinionFailure('garbled', 'an unknown status')
  const { aggregated_score: score } = (metrics ?? {}) as { aggregated_score?: unknown }
  return { score: probability(score, 'aggregated_score'), abstained: null }
}

/** RFC 7578, for one WAV file and a few short fields. */
function multipart(wav: Buffer, fields: Readonly<Record<string, string>>): { type: string; body: Buffer } {
  const boundary = `voicefw-${randomUUID()}`
  const parts = Object.entries(fields).map(
    ([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  )
  const file = 'Content-Disposition: form-data; name="file"; filename="audio.wav"\r\nContent-Type: audio/wav\r\n\r\n'
  const body = Buffer.concat([
    Buffer.from(`${parts.join('')}--${boundary}\r\n${file}`),
    wav,
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ])
  return { type: `multipart/form-data; boundary=${boundary}`, body }
}
