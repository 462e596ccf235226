/**
 * Reality Defender's file API: a place to put the file is asked for, the file is put there, the result is polled. Their
 * final score is 0 to 100, higher is faker; what they call not applicable is an abstention. Main thread.
 *
 *   POST {base}/api/files/aws-presigned {"fileName"}   X-API-KEY    <- {"response":{"signedUrl"},"mediaId","requestId"}
 *   PUT  signedUrl                                                   no key: the URL is signed
 *   GET  {base}/api/media/users/{requestId}                          <- {"resultsSummary":{"status":"AUTHENTIC",
 *                                                                        "metadata":{"finalScore":3.1}}}
 *   status: ANALYZING, then AUTHENTIC | FAKE | MANIPULATED | SUSPICIOUS | NOT_APPLICABLE | UNABLE_TO_EVALUATE
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { OutwardAnswer } from '../http/outward.ts'
import {
  failureOfStatus,
  OpinionFailure,
  type OpinionVendor,
  parseObject,
  probability,
  type VendorScore,
} from './opinion.ts'
import { type FileVendorOptions, fileSession } from './resemble.ts'

const answerBytesMax = 1_048_576
const pollsMax = 60
const judged = new Set(['AUTHENTIC', 'FAKE', 'MANIPULATED', 'SUSPICIOUS'])
const abstained = new Set(['NOT_APPLICABLE', 'UNABLE_TO_EVALUATE'])

export function realityDefender(options: FileVendorOptions): OpinionVendor {
  return { name: options.name, start: () => fileSession((wav, signal) => evaluate(options, wav, signal)) }
}

async function evaluate(options: FileVendorOptions, wav: Buffer, signal: AbortSignal): Promise<VendorScore> {
  const { outward, url, apiKey, allowPrivate, timeoutMs, pollMs } = options
  const headers = { 'x-api-key': apiKey, accept: 'application/json' }
  const shared = { timeoutMs, answerBytesMax, allowPrivate, signal }
  const place = objectOf(
    await outward({
      method: 'POST',
      url: `${url}/api/files/aws-presigned`,
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ fileName: `${randomUUID()}.wav` }),
      ...shared,
    }),
  )
  const { signedUrl } = (place['response'] ?? {}) as { signedUrl?: unknown }
  const { requestId } = place
  if (typeof signedUrl !== 'string' || !isWebUrl(signedUrl, allowPrivate) || typeof requestId !== 'string') {
    throw new OpinionFailure('garbled', 'no place for the file in the answer')
  }
  const put = await outward({ method: 'PUT', url: signedUrl, body: wav, ...shared, answerBytesMax: 0 })
  if (put.status < 200 || put.status > 299) throw failureOfStatus(put)
  const path = `${url}/api/media/users/${encodeURIComponent(requestId)}`
  for (let polls = 0; polls < pollsMax; polls += 1) {
    await sleep(pollMs, undefined, { signal }).catch(() => {
      throw new OpinionFailure('timeout', 'given up')
    })
    const answer = await outward({ method: 'GET', url: path, headers, ...shared })
    // The result is not known there at once.
    if (answer.status === 404) continue
    const score = scoreOf(objectOf(answer))
    if (score !== null) return score
  }
  throw new OpinionFailure('timeout', 'still analyzing')
}

/** Null: not ready. */
function scoreOf({ resultsSummary }: Record<string, unknown>): VendorScore | null {
  const { status, metadata } = (resultsSummary ?? {}) as { status?: unknown; metadata?: unknown }
  if (status === 'ANALYZING') return null
  if (typeof status !== 'string') throw new OpinionFailure('garbled', 'a result without a status')
  if (abstained.has(status)) return { score: null, abstained: 'not_suited' }
  if (!judged.has(status)) throw new OpinionFailure('garbled', 'an unknown status')
  const { finalScore } = (metadata ?? {}) as { finalScore?: unknown }
  const share = typeof finalScore === 'number' ? finalScore / 100 : finalScore
  return { score: probability(share, 'finalScore / 100'), abstained: null }
}

function objectOf(answer: OutwardAnswer): Record<string, unknown> {
  if (answer.status < 200 || answer.status > 299) throw failureOfStatus(answer)
  return parseObject(answer.body.toString())
}

function isWebUrl(text: string, allowHttp: boolean): boolean {
  return URL.canParse(text) && (text.startsWith('https://') || (allowHttp && text.startsWith('http://')))
}
