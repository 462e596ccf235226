/**
 * Which leg of a forked call counts as the attempt. A switch that rings three phones writes three records for one
 * call; exactly one of them may count: the branch that answered, else the first. Records of a call wait for one
 * another for a bounded number of later records; a leg that comes after its call was let go is a further leg. Any
 * thread; one a source.
 */

import type { RawRecord } from './cdr-raw.ts'
import type { CdrFlag, CdrRecord } from './cdr-record.ts'

export interface ForkRules {
  /** Records that may pass before a call is let go. */
  readonly holdRecords: number
  /** Calls that are remembered after that, and at most held. */
  readonly callsMax: number
}

interface Leg {
  readonly record: CdrRecord
  readonly raw: RawRecord
}

export class ForkSorter {
  readonly #rules: ForkRules
  readonly #held = new Map<string, { legs: Leg[]; at: number }>()
  #done = new Set<string>()
  #doneBefore = new Set<string>()
  #records = 0

  constructor(rules: ForkRules) {
    this.#rules = rules
  }

  get held(): number {
    return this.#held.size
  }

  accept(record: CdrRecord, raw: RawRecord, emit: (record: CdrRecord, raw: RawRecord) => void): void {
    this.#records++
    const { callId } = record
    if (this.#done.has(callId) || this.#doneBefore.has(callId)) {
      emit(asFurtherLeg(record), raw)
    } else {
      const call = this.#held.get(callId)
      if (call === undefined) this.#held.set(callId, { legs: [{ record, raw }], at: this.#records })
      else call.legs.push({ record, raw })
    }
    for (const [id, call] of this.#held) {
      if (call.at > this.#records - this.#rules.holdRecords && this.#held.size <= this.#rules.callsMax) break
      this.#release(id, call.legs, emit)
    }
  }

  flush(emit: (record: CdrRecord, raw: RawRecord) => void): void {
    for (const [id, call] of this.#held) this.#release(id, call.legs, emit)
  }

  #release(callId: string, legs: readonly Leg[], emit: (record: CdrRecord, raw: RawRecord) => void): void {
    this.#held.delete(callId)
    if (this.#done.size >= this.#rules.callsMax) {
      this.#doneBefore = this.#done
      this.#done = new Set()
    }
    this.#done.add(callId)
    const counted = legs.filter(({ record }) => record.isAttempt)
    const chosen = counted.find(({ record }) => record.answerUs !== null) ?? counted[0]
    for (const leg of legs) emit(leg === chosen ? leg.record : asFurtherLeg(leg.record), leg.raw)
  }
}

function asFurtherLeg(record: CdrRecord): CdrRecord {
  if (!record.isAttempt) return record
  return { ...record, isAttempt: false, flags: [...new Set<CdrFlag>([...(record.flags ?? []), 'forked_leg'])] }
}
