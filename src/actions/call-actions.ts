/**
 * Redirects and hang-ups, from decision to Twilio's answer. A call gets one at most in its life here; at most
 * `queueMax` wait or are under way; each has a time limit that runs from the verdict, because an action that comes late
 * hits another moment of the call. Nobody waits for it: the outcome is told. Whatever fails, the call goes on. Main
 * thread.
 */
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import type { CallChange, TwilioRest } from './twilio-rest.ts'

export interface CallActionsOptions {
  readonly rest: Pick<TwilioRest, 'updateCall'>
  readonly queueMax: number
  readonly timeLimitMs: number
  readonly clock: Clock
  readonly log: Log
  readonly counters: Pick<Counters, 'actionsDone' | 'actionsFailed' | 'actionsRefused'>
}

export interface ActionOrder {
  readonly id: string
  readonly accountSid: string
  readonly callSid: string
  readonly change: CallChange
  /** The clock's `steadyMs` when the verdict fell, or a person asked. */
  readonly verdictAtMs: number
  /** Called when its turn has come, just before the request goes out. */
  readonly beforeSend?: () => void
}

export interface ActionOutcome {
  readonly state: 'done' | 'failed' | 'cancelled'
  /** From verdict to request; null: none went out. */
  readonly latencyMs: number | null
  /** Why it failed. */
  readonly result: { readonly code: string; readonly text: string } | null
}

interface Waiting {
  cancelled: boolean
  begun: boolean
}

export class CallActions {
  readonly #options: CallActionsOptions
  readonly #open = new Map<string, Waiting>()

  constructor(options: CallActionsOptions) {
    this.#options = options
  }

  /** Orders that wait or are under way. */
  get open(): number {
    return this.#open.size
  }

  /** Resolves to what became of it; never rejects. */
  async take(order: ActionOrder): Promise<ActionOutcome> {
    const { counters, log, queueMax } = this.#options
    const { id, callSid } = order
    if (this.#open.size >= queueMax) {
      counters.actionsRefused += 1
      log.warn('an action was not taken: too many wait', { action: id, callSid })
      return {
        state: 'failed',
        latencyMs: null,
        result: { code: 'queue_full', text: `${queueMax} actions wait already` },
      }
    }
    const waiting: Waiting = { cancelled: false, begun: false }
    this.#open.set(id, waiting)
    try {
      const outcome = await this.#send(order, waiting)
      if (outcome.state === 'done') counters.actionsDone += 1
      if (outcome.state === 'failed') {
        counters.actionsFailed += 1
        log.warn('an action failed; the call goes on', { action: id, callSid, code: outcome.result?.code })
      }
      return outcome
    } finally {
      this.#open.delete(id)
    }
  }

  /** False: the request has gone out, or there is no such order. */
  cancel(id: string): boolean {
    const waiting = this.#open.get(id)
    if (waiting === undefined || waiting.begun) return false
    waiting.cancelled = true
    return true
  }

  async #send(order: ActionOrder, waiting: Waiting): Promise<ActionOutcome> {
    const { clock, rest, timeLimitMs } = this.#options
    const { accountSid, callSid, change, verdictAtMs, beforeSend } = order
    let latencyMs: number | null = null
    const begun = (): void => {
      if (waiting.cancelled) throw new OperatingError('conflict', 'it was taken back before it went out')
      if (waiting.begun) return
      waiting.begun = true
      beforeSend?.()
      latencyMs = clock.steadyMs() - verdictAtMs
    }
    try {
      const totalMs = timeLimitMs - (clock.steadyMs() - verdictAtMs)
      await rest.updateCall(accountSid, callSid, change, { totalMs, begun })
      return { state: 'done', latencyMs, result: null }
    } catch (thrown) {
      if (waiting.cancelled && !waiting.begun) return { state: 'cancelled', latencyMs, result: null }
      const code = thrown instanceof OperatingError ? thrown.code : 'internal'
      return { state: 'failed', latencyMs, result: { code, text: messageOf(thrown) } }
    }
  }
}

/** Of a hang-up that is asked for again: the first request may have done it. The verdict was another run's. */
export function isOverMeansDone({ state, result }: ActionOutcome): ActionOutcome {
  const isDone = state === 'done' || result?.code === 'call_over'
  return { state: isDone ? 'done' : state, latencyMs: null, result: isDone ? null : result }
}
