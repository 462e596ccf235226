/**
 * `GET /healthz` (the process answers, nothing more), `GET /readyz` (named checks: models, storage, workers ...), `GET
 * /v1/status` and `GET /metrics`. A degraded part, e.g. storage that is down while the spool has room, keeps the
 * server ready and says so; a failed one answers 503. The checks are functions handed in, so this file knows no other
 * room. Main thread.
 */
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { HttpAnswer } from '../http/exchange.ts'
import { json, plainHeaders } from './problem.ts'

export interface CheckResult {
  readonly state: 'ok' | 'degraded' | 'failed'
  /** For people: `voice/1`, `spooling, 120 rows wait`. No secrets, no numbers of callers: the answer is public. */
  readonly detail?: string
}

/** Must answer from memory, at once. */
export type Check = () => CheckResult

/** What the dashboard draws by, beyond the checks. */
interface StatusFacts {
  /** name/version of the active voice model, or null before it is loaded. */
  readonly model: string | null
  /** Scores at or above `synthetic` and at or below `human` earn those labels. */
  readonly thresholds: { readonly synthetic: number; readonly human: number } | null
}

export interface HealthOptions {
  readonly version: string
  readonly clock: Clock
  readonly facts: () => StatusFacts
  readonly checks: Readonly<Record<string, Check>>
  readonly metricsText: () => Promise<string>
}

export class Health {
  readonly #options: HealthOptions

  constructor(options: HealthOptions) {
    this.#options = options
  }

  live(): HttpAnswer {
    return json(200, { status: 'ok', version: this.#options.version })
  }

  ready(): HttpAnswer {
    const report = this.#report()
    return json(report.status === 'not_ready' ? 503 : 200, report)
  }

  /** For signed-in people: the same checks, always 200, with the server's time and what the scores are held against. */
  status(): HttpAnswer {
    const at = new Date(this.#options.clock.wallMs()).toISOString()
    return json(200, { ...this.#report(), ...this.#options.facts(), at })
  }

  #report(): { status: 'ready' | 'degraded' | 'not_ready'; version: string; checks: Record<string, CheckResult> } {
    const checks = Object.fromEntries(
      Object.entries(this.#options.checks).map(([name, check]) => [name, resultOf(check)] as const),
    )
    const states = Object.values(checks).map((result) => result.state)
    const status = states.includes('failed') ? 'not_ready' : states.includes('degraded') ? 'degraded' : 'ready'
    return { status, version: this.#options.version, checks }
  }

  async metrics(): Promise<HttpAnswer> {
    const headers = { ...plainHeaders, 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' }
    return { status: 200, headers, body: await this.#options.metricsText() }
  }
}

function resultOf(check: Check): CheckResult {
  try {
    return check()
  } catch (thrown) {
    return { state: 'failed', detail: messageOf(thrown) }
  }
}
