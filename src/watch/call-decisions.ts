/**
 * What was decided about a call, from memory and, of a former run, from the tables; and how a person takes it back:
 * what waits is cancelled, a redirect is led back, the rest is marked. Main thread.
 */
import type { CallActions } from '../actions/call-actions.ts'
import type { ActionsConfig } from '../config/actions-schema.ts'
import type { Clock } from '../core/clock.ts'
import { OperatingError } from '../core/errors.ts'
import { type ActionRecord, canUndo, twimlOf } from '../decisions/action-record.ts'
import type { CallMemories } from './call-memory.ts'

export interface CallDecisionsOptions {
  readonly config: Pick<ActionsConfig, 'rules'>
  readonly actions: Pick<CallActions, 'take' | 'cancel'>
  readonly memories: CallMemories
  readonly past: { of(callSid: string): Promise<ActionRecord[]> }
  readonly clock: Clock
}

export class CallDecisions {
  readonly #options: CallDecisionsOptions
  /** Actions that are being taken back. */
  readonly #undoing = new Set<string>()

  constructor(options: CallDecisionsOptions) {
    this.#options = options
  }

  /** Oldest first. @throws OperatingError storage_unavailable: only of calls that are not in memory */
  async of(callSid: string): Promise<ActionRecord[]> {
    const { memories, past } = this.#options
    const memory = memories.get(callSid)
    if (memory === undefined) return past.of(callSid)
    if (!memory.isRestored) return memory.records
    const stored = await past.of(callSid).catch((): ActionRecord[] => [])
    const here = new Set(memory.records.map(({ id }) => id))
    // A call that is live again can still be led back.
    const former = stored
      .filter(({ id }) => !here.has(id))
      .map((record) => ({ ...record, hasWayBack: memory.isHeard && this.#wayBackOf(record) !== undefined }))
    return [...former, ...memory.records].sort((a, b) => a.decidedAtMs - b.decidedAtMs)
  }

  /** @throws OperatingError not_found, conflict, and what Twilio says of a redirect back */
  async undo(callSid: string, actionId: string, who: string): Promise<ActionRecord> {
    const { clock, memories } = this.#options
    const record = (await this.of(callSid)).find(({ id }) => id === actionId)
    if (record === undefined) throw new OperatingError('not_found', 'no such action of this call')
    if (!canUndo(record)) {
      throw new OperatingError('conflict', `this ${record.action} is ${record.state} and cannot be undone`)
    }
    if (this.#undoing.has(actionId)) throw new OperatingError('conflict', 'it is being undone already')
    this.#undoing.add(actionId)
    try {
      await this.#takeBack(record)
    } finally {
      this.#undoing.delete(actionId)
    }
    record.state = 'undone'
    record.undoneAtMs = clock.wallMs()
    record.undoneBy = who
    const records = memories.get(callSid)?.records
    if (records?.includes(record) === false) records.push(record)
    return record
  }

  async #takeBack(record: ActionRecord): Promise<void> {
    if (record.state === 'planned') {
      if (!this.#options.actions.cancel(record.id)) throw new OperatingError('conflict', 'its request is under way')
    } else if (record.action === 'redirect') {
      const wayBack = this.#options.memories.get(record.callSid)?.waysBack.get(record.id) ?? this.#wayBackOf(record)
      if (wayBack === undefined) throw new OperatingError('conflict', 'there is no way back for the call')
      await this.#leadBack(record, wayBack)
    }
  }

  async #leadBack(record: ActionRecord, twiml: string): Promise<void> {
    const { actions, clock } = this.#options
    const { accountSid, callSid } = record
    const order = { id: `${record.id}_back`, accountSid, callSid, change: { twiml }, verdictAtMs: clock.steadyMs() }
    const { state, result } = await actions.take(order)
    if (state !== 'done') throw new OperatingError('conflict', `the call was not led back: ${result?.text ?? state}`)
  }

  /** As the rule of that name has it now. */
  #wayBackOf({ action, rule: name }: ActionRecord): string | undefined {
    const rule = this.#options.config.rules.find((each) => each.name === name)
    if (action !== 'redirect' || rule === undefined) return undefined
    return twimlOf(rule.do, 'back') ?? undefined
  }
}
