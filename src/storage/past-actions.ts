/** Stored decisions of the policy, by call. Main thread. */
import type { ActionRecord } from '../decisions/action-record.ts'
import { recordOfRow } from './action-rows.ts'
import type { Store } from './store.ts'

/** Of one call; its rules fire once per track each. */
const actionsMax = 1000

export class PastActions {
  readonly #store: Pick<Store, 'query'>

  constructor(store: Pick<Store, 'query'>) {
    this.#store = store
  }

  /** Oldest first. @throws OperatingError storage_unavailable */
  async of(callSid: string): Promise<ActionRecord[]> {
    const sql = `SELECT * FROM actions FINAL WHERE call_sid = {callSid:String}
      ORDER BY decided_at, id LIMIT ${actionsMax}`
    const rows = await this.#store.query(sql, { callSid })
    return rows.flatMap((row) => recordOfRow(row) ?? [])
  }
}
