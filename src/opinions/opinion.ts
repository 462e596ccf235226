/**
 * What every vendor of second opinions has to do: hear mu-law audio of one track and say how likely it is synthetic, on
 * our scale, or that it cannot say. All that a vendor may do wrong is an OpinionFailure with a reason from one list;
 * nothing else is thrown. Main thread.
 */
import { OperatingError } from '../core/errors.ts'
import { type OutwardAnswer, OutwardFailure } from '../http/outward.ts'

/** Why a vendor cannot say; theirs are mapped to these. */
export type Abstention = 'too_short' | 'no_voice' | 'music' | 'noise' | 'not_suited'

export type VendorScore =
  | { readonly score: number; readonly abstained: null }
  | { readonly score: null; readonly abstained: Abstention }

/** One track before one vendor. */
export interface OpinionSession {
  /** mu-law bytes, 8 kHz, in order. */
  pushAudio(mulaw: Uint8Array): void
  /** No more audio comes: the vendor's word. Once. @throws OpinionFailure */
  score(): Promise<VendorScore>
  /** Gives everything up; safe at any time, twice too. */
  close(): void
}

export interface OpinionVendor {
  readonly name: string
  /** Never throws; what fails is told by `score`. */
  start(): OpinionSession
}

/**
 * `payment`, `auth`: somebody has to do something; `rate`: we ask too much; `garbled`: the answer is not as documented.
 */
export const failureReasons = [
  'timeout',
  'payment',
  'auth',
  'rate',
  'refused',
  'garbled',
  'disconnected',
  'unavailable',
  'slow',
] as const

export type FailureReason = (typeof failureReasons)[number]

export class OpinionFailure extends OperatingError {
  readonly reason: FailureReason
  /** The vendor asked for so long a pause. */
  readonly afterMs: number | null

  constructor(reason: FailureReason, detail: string, afterMs: number | null = null) {
    super('outward_failed', detail)
    this.reason = reason
    this.afterMs = afterMs
  }
}

/** The failure of an HTTP status that is not 2xx. */
export function failureOfStatus({ status, headers }: Pick<OutwardAnswer, 'status' | 'headers'>): OpinionFailure {
  const detail = `answered ${status}`
  if (status === 402) return new OpinionFailure('payment', detail)
  if (status === 401 || status === 403) return new OpinionFailure('auth', detail)
  if (status === 429) {
    const seconds = Number(headers['retry-after'])
    return new OpinionFailure('rate', detail, Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : null)
  }
  return new OpinionFailure(status >= 500 || status === 408 ? 'unavailable' : 'refused', detail)
}

/** Anything thrown while a vendor was asked, as a failure of theirs; bugs of ours stay what they are. */
export function asFailure(thrown: unknown): unknown {
  if (!(thrown instanceof OutwardFailure)) return thrown
  const { reason, message } = thrown
  if (reason === 'timeout') return new OpinionFailure('timeout', message)
  return new OpinionFailure(reason === 'answer_too_large' ? 'garbled' : 'unavailable', message)
}

/** A number in 0..1, also when it comes as text. @throws OpinionFailure garbled */
export function probability(value: unknown, name: string): number {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof number !== 'number' || !(number >= 0 && number <= 1)) {
    throw new OpinionFailure('garbled', `${name} is not a number from 0 to 1`)
  }
  return number
}

/** @throws OpinionFailure garbled */
export function parseObject(text: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
      return parsed as Record<string, unknown>
    }
  } catch {
    // Falls through: it is no JSON.
  }
  throw new OpinionFailure('garbled', 'the answer is not a JSON object')
}
