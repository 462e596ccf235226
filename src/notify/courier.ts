/**
 * What every receiver of notices has in common: what an attempt came to, when to try again, when to give up. A receiver
 * that is down is waited for until the notice is too old; a receiver that answers and refuses one notice gets it a few
 * times, then it is a dead letter, and the next ones go on. Pure. Main thread.
 */
import type { OutwardAnswer } from '../http/outward.ts'
import type { NumberSpellings } from '../wire/number-spellings.ts'
import type { Notice } from './notice.ts'

/** Receivers of kind webhook get every notice, the others people's portions. */
export type ReceiverKind = 'webhook' | 'slack' | 'mail'

/** What an attempt came to. `refused`: the receiver is up and does not want this one. */
export type Outcome =
  | { readonly state: 'done' }
  | { readonly state: 'unavailable'; readonly why: string; readonly afterMs: number | null }
  | { readonly state: 'refused'; readonly why: string }
  | { readonly state: 'gone'; readonly why: string }

/** Answers of HTTP: 2xx took it; 408, 425, 429 and 5xx are to come again; 410 wants nothing any more. */
export function outcomeOf({ status, headers }: Pick<OutwardAnswer, 'status' | 'headers'>, nowMs: number): Outcome {
  const why = `answered ${status}`
  if (status >= 200 && status < 300) return { state: 'done' }
  if (status === 410) return { state: 'gone', why }
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    return { state: 'unavailable', why, afterMs: retryAfterMs(String(headers['retry-after'] ?? ''), nowMs) }
  }
  return { state: 'refused', why }
}

/** `Retry-After` in seconds or as a date; null when it says neither. */
function retryAfterMs(text: string, nowMs: number): number | null {
  if (/^\d{1,6}$/.test(text)) return Number(text) * 1000
  const atMs = Date.parse(text)
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs)
}

export interface RetryLimits {
  /** Pause after the first failure; it doubles with every further one, with jitter. */
  readonly firstMs: number
  readonly mostMs: number
  /** A notice so old is given up. */
  readonly giveUpMs: number
}

/** Refusals by a receiver that is up, after which a notice is a dead letter. */
const refusalsMax = 5
/** Failures of one notice while others got through; it is then this one's fault. */
const failuresWhileUpMax = 8

/** Attempts at one notice. */
export interface Attempts {
  tries: number
  refusals: number
  failuresWhileUp: number
  /** Steady time; negative infinity before the first. */
  lastMs: number
  nextMs: number
}

export function noAttempts(): Attempts {
  return { tries: 0, refusals: 0, failuresWhileUp: 0, lastMs: Number.NEGATIVE_INFINITY, nextMs: 0 }
}

/** Pause after the `failures`th failure in a row: doubling, between half and all of it. */
export function pauseMs({ firstMs, mostMs }: RetryLimits, failures: number, random: () => number): number {
  const most = Math.min(mostMs, firstMs * 2 ** Math.min(30, failures - 1))
  return most * (0.5 + random() / 2)
}

/** Counts a failed attempt. @returns why to give the notice up, or null: try again */
export function giveUp(
  attempts: Attempts,
  outcome: Exclude<Outcome, { state: 'done' }>,
  facts: { readonly ageMs: number; readonly giveUpMs: number; readonly othersGotThrough: boolean },
): string | null {
  attempts.tries += 1
  if (outcome.state === 'refused') attempts.refusals += 1
  if (facts.othersGotThrough) attempts.failuresWhileUp += 1
  const spent = attempts.refusals >= refusalsMax || attempts.failuresWhileUp >= failuresWhileUpMax
  if (outcome.state === 'gone' || spent || facts.ageMs > facts.giveUpMs) return outcome.why
  return null
}

/** How a receiver stands, for people. */
export interface CourierView {
  readonly name: string
  readonly kind: ReceiverKind
  readonly state: 'idle' | 'sending' | 'down' | 'quiet'
  /** Notices in memory that it has not been given. */
  readonly waiting: number
  readonly oldestAt: string | null
  readonly delivered: number
  readonly lastError: string | null
}

export interface Courier {
  readonly name: string
  /** Entries of the log that this receiver holds back. */
  readonly held: number
  /** Looks for new notices and for what is due. Cheap; called often. */
  wake(): void
  view(): CourierView
  /** Forgets a number in notices that wait. */
  erase(spellings: NumberSpellings): void
  /** Stops at once; what is under way is given up and stays in the log. */
  close(): Promise<void>
}

/** Takes what is given up. False: it could not be kept, try again later. */
export type Bury = (receiver: string, notice: Notice, why: string, tries: number) => Promise<boolean>
