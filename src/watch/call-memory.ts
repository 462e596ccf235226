/**
 * What the policy remembers of calls: which rules fired, that a call had its redirect or hang-up, that a person said
 * hands off. Bounded; it outlives a call's streams and, in a journal on disk, this process, so that a call that is
 * heard again is not acted upon twice. Main thread.
 *
 *   decided ── on its way to Twilio ──► (journal: it may have gone out) ──► asked ──► answered (journal: settled)
 *      │                                        │
 *      └ killed here: as if the rule had        └ killed here: a hang-up is asked for again, it changes nothing twice;
 *        never fired, the next verdict decides    a redirect is not, it would begin anew: told as failed
 */
import { z } from 'zod'
import type { Clock } from '../core/clock.ts'
import type { ActionRecord, HandsOff } from '../decisions/action-record.ts'
import type { CallerHistory } from '../decisions/call-risk.ts'
import { Climb } from '../decisions/voice-policy.ts'
import type { CallFacts, TrackName } from '../ingest/track.ts'
import type { DurableLog } from '../log/durable-log.ts'
import { KeyedJournal } from '../log/keyed-journal.ts'
import type { MarkFile } from '../log/mark-file.ts'

/** Twilio ends a call after 24 h at the latest. */
const callMsMax = 86_400_000

export interface PendingAction {
  readonly record: ActionRecord
  /** `sent`: its request may have gone out; `settled`: the outcome is known. */
  phase: (typeof phases)[number]
}

const phases = ['planned', 'sent', 'settled'] as const

export interface CallMemory {
  /** Numbers are empty while only a former run of this server has heard of it. */
  call: CallFacts
  readonly climbs: Map<TrackName, Climb>
  /** Of this run, and the one that was under way when the former ended. */
  readonly records: ActionRecord[]
  /** Where undo of a redirect leads, by action. */
  readonly waysBack: Map<string, string>
  history: CallerHistory | null
  handsOff: HandsOff | null
  /** It had its redirect or hang-up; in shadow, it would have had it. */
  readonly spent: { force: boolean; shadow: boolean }
  /** Its redirect or hang-up, until its row is on disk with the outcome. */
  pending: PendingAction | null
  /** Of each track, the last one of the voice. */
  readonly scores: Map<TrackName, number | null>
  /** A former run decided about it, too; those decisions are in the tables. */
  readonly isRestored: boolean
  /** This run has heard of it. */
  isHeard: boolean
  /** Wall time of the last change that a restart must know of; 0: none. */
  changedAtMs: number
}

const entryShape = z.object({
  callSid: z.string(),
  accountSid: z.string(),
  changedAtMs: z.number(),
  fired: z.array(z.tuple([z.enum(['inbound', 'outbound']), z.array(z.string())])),
  spent: z.object({ force: z.boolean(), shadow: z.boolean() }),
  handsOff: z.object({ by: z.string(), at: z.string(), note: z.string().nullable() }).nullable(),
  pending: z
    .object({
      phase: z.enum(phases),
      record: z.custom<ActionRecord>((value) => typeof value === 'object' && value !== null),
    })
    .nullable(),
})

export interface CallMemoriesOptions {
  readonly log: DurableLog
  /** For what is known before a request leaves that must not be made twice. */
  readonly marks: Pick<MarkFile, 'read' | 'put' | 'clear'>
  readonly callsMax: number
  readonly clock: Clock
}

export class CallMemories {
  readonly #options: CallMemoriesOptions
  readonly #journal: KeyedJournal<CallMemory>
  /** Oldest first. */
  readonly #calls = new Map<string, CallMemory>()

  constructor(options: CallMemoriesOptions) {
    this.#options = options
    const { clock, log } = options
    this.#journal = new KeyedJournal(log, {
      keyOf: ({ call }) => call.callSid,
      isKept: ({ changedAtMs }) => changedAtMs > 0 && clock.wallMs() - changedAtMs < callMsMax,
      toEntry,
      fromEntry,
    })
    for (const memory of this.#journal.read()) this.#add(memory)
    this.#readMarks()
  }

  get size(): number {
    return this.#calls.size
  }

  get(callSid: string): CallMemory | undefined {
    return this.#calls.get(callSid)
  }

  all(): IterableIterator<CallMemory> {
    return this.#calls.values()
  }

  /** Of a call that is heard. `isNew`: this run had not heard of it. */
  of(call: CallFacts): { memory: CallMemory; isNew: boolean } {
    const known = this.#calls.get(call.callSid)
    if (known === undefined) {
      const memory = freshMemory(call, false)
      this.#add(memory)
      return { memory, isNew: true }
    }
    // To the young end: whoever still speaks is not forgotten.
    this.#calls.delete(call.callSid)
    this.#calls.set(call.callSid, known)
    const isNew = !known.isHeard
    if (isNew) Object.assign(known, { call, isHeard: true })
    return { memory: known, isNew }
  }

  /** On disk when it resolves. @throws OperatingError spool_full, Error of the disk */
  save(memory: CallMemory): Promise<void> {
    memory.changedAtMs = this.#options.clock.wallMs()
    return this.#journal.write(memory)
  }

  /**
   * The same, and when it returns a kill of this process cannot undo it; only a crash of the machine before the promise
   * resolves can. @throws Error of the disk
   */
  mark(memory: CallMemory): Promise<void> {
    const kept = this.save(memory)
    kept.catch(() => {})
    this.#options.marks.put(Buffer.from(toEntry(memory)).toString('utf8'), kept)
    return kept
  }

  /** What was marked and did not reach the journal. */
  #readMarks(): void {
    const { marks } = this.#options
    const lost = marks.read().flatMap((line) => fromEntry(Buffer.from(line)) ?? [])
    const newer = lost.filter(({ call, changedAtMs }) => {
      return changedAtMs > (this.#calls.get(call.callSid)?.changedAtMs ?? 0)
    })
    for (const memory of newer) {
      this.#calls.delete(memory.call.callSid)
      this.#add(memory)
    }
    const writing = newer.map((memory) => this.#journal.write(memory))
    // A journal that refuses leaves them here for the next start.
    void Promise.all(writing).then(
      () => marks.clear(),
      () => {},
    )
  }

  #add(memory: CallMemory): void {
    this.#calls.set(memory.call.callSid, memory)
    const oldest = this.#calls.size > this.#options.callsMax ? this.#calls.keys().next().value : undefined
    if (oldest === undefined) return
    this.#calls.delete(oldest)
    this.#journal.forget(oldest)
  }
}

function freshMemory(call: CallFacts, isRestored: boolean): CallMemory {
  return {
    call,
    climbs: new Map(),
    records: [],
    waysBack: new Map(),
    history: null,
    handsOff: null,
    spent: { force: false, shadow: false },
    pending: null,
    scores: new Map(),
    isRestored,
    isHeard: !isRestored,
    changedAtMs: 0,
  }
}

function toEntry({ call, changedAtMs, climbs, spent, handsOff, pending }: CallMemory): Uint8Array {
  // What has surely not gone out has not happened: a restart may decide it anew.
  const unsent = pending?.phase === 'planned' ? pending.record : null
  const fired = [...climbs].map(([track, climb]) => {
    const rules = [...climb.fired].filter((rule) => track !== unsent?.track || rule !== unsent.rule)
    return [track, rules] as const
  })
  const { callSid, accountSid } = call
  const had = { force: spent.force && unsent === null, shadow: spent.shadow }
  const entry = { callSid, accountSid, changedAtMs, fired, spent: had, handsOff, pending }
  return Buffer.from(JSON.stringify(entry), 'utf8')
}

function fromEntry(bytes: Uint8Array): CallMemory | null {
  let entry: z.infer<typeof entryShape>
  try {
    entry = entryShape.parse(JSON.parse(Buffer.from(bytes).toString('utf8')))
  } catch {
    return null
  }
  const { callSid, accountSid, changedAtMs, fired, spent, handsOff, pending } = entry
  const call = { callSid, accountSid, from: '', to: '', direction: '', stirVerstat: '' }
  const memory = freshMemory(call, true)
  for (const [track, rules] of fired) {
    const climb = new Climb()
    for (const rule of rules) climb.fired.add(rule)
    memory.climbs.set(track, climb)
  }
  if (pending !== null) memory.records.push(pending.record)
  return Object.assign(memory, { changedAtMs, spent, handsOff, pending })
}
