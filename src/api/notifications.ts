/**
 * `GET /v1/notifications`: how each receiver stands; `GET /v1/notifications/dead`: what was given up;
 * `POST /v1/notifications/dead/{id}/resend`: give it once more, with the id it had. Main thread.
 */
import type { Identity } from '../access/authenticate.ts'
import type { HttpAnswer, HttpRequest } from '../http/exchange.ts'
import type { CourierView } from '../notify/courier.ts'
import type { DeadLetter } from '../notify/dead-letters.ts'
import type { Audit } from './audit.ts'
import { json } from './problem.ts'

/** The part of the notifier that we show; `null` receivers configured is an empty one. */
export interface NotificationsView {
  views(): readonly CourierView[]
  deadLetters(): readonly DeadLetter[]
  /** @throws OperatingError not_found, spool_full */
  resend(id: string): Promise<DeadLetter>
}

export class Notifications {
  readonly #view: NotificationsView
  readonly #audit: Audit

  constructor(options: { view: NotificationsView; audit: Audit }) {
    this.#view = options.view
    this.#audit = options.audit
  }

  list(): HttpAnswer {
    return json(200, { receivers: this.#view.views() })
  }

  dead(): HttpAnswer {
    return json(200, { dead: this.#view.deadLetters().map(shown) })
  }

  async resend(request: HttpRequest, who: Identity): Promise<HttpAnswer> {
    const letter = await this.#view.resend(request.params['id'] ?? '')
    this.#audit.note(request, who, { action: 'notification.resend', result: 'queued', detail: letter.id })
    return json(202, shown(letter))
  }
}

function shown({ id, receiver, notice, why, tries, diedAt }: DeadLetter): object {
  const { id: noticeId, type, about, stage, kind, severity, at } = notice
  return { id, receiver, why, tries, diedAt, notice: { id: noticeId, type, about, stage, kind, severity, at } }
}
