/**
 * What people do about the policy on one call: `POST /v1/calls/{callSid}/actions/{id}/undo` takes an action back,
 * `POST /v1/calls/{callSid}/hands-off {on, note?}` says that nothing more shall be done to the call, or that the policy
 * goes on. Both leave an audit row. Main thread.
 */
import { z } from 'zod'
import type { Identity } from '../access/authenticate.ts'
import type { Clock } from '../core/clock.ts'
import { type ActionRecord, actionView, type HandsOff } from '../decisions/action-record.ts'
import type { HttpAnswer, HttpRequest } from '../http/exchange.ts'
import type { Audit } from './audit.ts'
import { jsonBody } from './checked-request.ts'
import { json } from './problem.ts'

export interface CallPolicy {
  undo(callSid: string, actionId: string, who: string): Promise<ActionRecord>
  setHandsOff(callSid: string, handsOff: HandsOff | null): Promise<void>
}

export interface CallActionsResourceOptions {
  readonly policy: CallPolicy
  readonly audit: Audit
  readonly clock: Clock
}

export const handsOffBody = z.strictObject({ on: z.boolean(), note: z.string().max(500).optional() })

export class CallActionsResource {
  readonly #options: CallActionsResourceOptions

  constructor(options: CallActionsResourceOptions) {
    this.#options = options
  }

  async undo(request: HttpRequest, identity: Identity): Promise<HttpAnswer> {
    const { policy, audit } = this.#options
    const { callSid = '', id = '' } = request.params
    const record = await policy.undo(callSid, id, identity.actor)
    const detail = `${record.action} of rule ${record.rule}`
    audit.note(request, identity, { action: 'action.undo', result: 'ok', detail })
    return json(200, actionView(record))
  }

  async handsOff(request: HttpRequest, identity: Identity): Promise<HttpAnswer> {
    const { policy, audit, clock } = this.#options
    const { on, note = null } = jsonBody(handsOffBody, request)
    const at = new Date(clock.wallMs()).toISOString()
    const handsOff = on ? { by: identity.actor, at, note } : null
    await policy.setHandsOff(request.params['callSid'] ?? '', handsOff)
    audit.note(request, identity, { action: on ? 'call.hands_off' : 'call.hands_on', result: 'ok' })
    return json(200, { handsOff })
  }
}
