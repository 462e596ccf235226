/**
 * `GET /v1/calls` and `GET /v1/calls/{callSid}`: calls that are live (from memory) and calls that are past (from
 * storage), as one list. Order: live first, then by start, newest first. A call that memory still knows is told from
 * memory, storage may lag behind it. While storage is down the live calls are still told, with `partial` saying what
 * is missing.
 *
 *   cursor = base64url of [1 live | 0 past, start in wall ms, callSid] of the last call told; opaque to clients
 *
 * Main thread.
 */
import { z } from 'zod'
import { OperatingError } from '../core/errors.ts'
import type { CallDetail, CallPolicyView } from '../decisions/action-record.ts'
import { type CallState, type CallView, type Label, labels } from '../decisions/verdict-view.ts'
import type { HttpAnswer, HttpRequest } from '../http/exchange.ts'
import { clearNumbersQuery } from './clear-numbers.ts'
import { json } from './problem.ts'

export interface LiveCallsView {
  list(): readonly CallView[]
  get(callSid: string): CallView | undefined
}

export interface PastCallFilter {
  readonly states: readonly ('ended' | 'interrupted')[]
  /** Some track has this label. */
  readonly label: Label | null
  /** Part of the call SID or of a number; `%` and `_` are plain characters. */
  readonly text: string | null
  /** Only calls that stand after this one: older, or as old with a smaller callSid. */
  readonly after: { readonly startedAtMs: number; readonly callSid: string } | null
  readonly limit: number
}

/** Reports on stored calls; implemented over the store. May reject with storage_unavailable. */
export interface PastCalls {
  /** By start, newest first, then by callSid, largest first. Windows may be left to the last 60 of each track. */
  list(filter: PastCallFilter): Promise<readonly CallView[]>
  /** With all windows, gaps and reasons. */
  get(callSid: string): Promise<CallView | undefined>
}

/** Scores of a track that a list shows. */
const lastWindowsMax = 60
const callsPageMax = 1000
const callsPageDefault = 100
const storageBatchDefault = 250

export const callsQuery = z.strictObject({
  state: z.enum(['live', 'past', 'ended', 'interrupted', 'all']).default('all'),
  label: z.enum(labels).optional(),
  q: z.string().max(64).optional(),
  limit: z.coerce.number().int().min(1).max(callsPageMax).default(callsPageDefault),
  cursor: z.string().max(300).optional(),
  ...clearNumbersQuery,
})

const cursorShape = z.tuple([z.union([z.literal(0), z.literal(1)]), z.number().int(), z.string().max(64)])
const callSidShape = /^[A-Za-z0-9_-]{1,64}$/

interface Position {
  readonly live: 0 | 1
  readonly startedAtMs: number
  readonly callSid: string
}

export interface CallsOptions {
  readonly live: LiveCallsView
  readonly past: PastCalls
  /** What the policy did, or would have done, to a call. May reject with storage_unavailable. */
  readonly policy: { viewOf(callSid: string): Promise<CallPolicyView> }
  /** What a search for a number looks for. */
  readonly searched: (text: string) => string
  /** Calls asked of storage at once. */
  readonly storageBatch?: number
}

export class Calls {
  readonly #live: LiveCallsView
  readonly #past: PastCalls
  readonly #policy: CallsOptions['policy']
  readonly #searched: CallsOptions['searched']
  readonly #storageBatch: number

  constructor(options: CallsOptions) {
    this.#live = options.live
    this.#past = options.past
    this.#policy = options.policy
    this.#searched = options.searched
    this.#storageBatch = options.storageBatch ?? storageBatchDefault
  }

  async list(request: HttpRequest): Promise<HttpAnswer> {
    const query = parseQuery(callsQuery, request.query)
    const after = query.cursor === undefined ? null : readCursor(query.cursor)
    const text = this.#searched(query.q?.trim().replace(/^\+/, '') ?? '') || null
    const known = this.#live.list()
    const fromMemory = known.filter(
      (call) => stateFits(call.state, query.state) && labelFits(call, query.label) && textFits(call, text),
    )
    const knownSids = new Set(known.map((call) => call.callSid))
    const wanted = { label: query.label ?? null, text, limit: query.limit + 1, knownSids }
    const { calls: fromStorage, partial } = await this.#listPast(wanted, query.state, after)
    const all = [...fromMemory, ...fromStorage]
      .map((call) => ({ call, position: positionOf(call) }))
      .filter(({ position }) => after === null || compare(after, position) < 0)
      .sort((a, b) => compare(a.position, b.position))
    const page = all.slice(0, query.limit)
    const last = page.at(-1)
    const next = all.length > page.length && last ? writeCursor(last.position) : null
    return json(200, { calls: page.map(({ call }) => listed(call)), next, ...(partial ? { partial } : {}) })
  }

  async get(request: HttpRequest): Promise<HttpAnswer> {
    const callSid = request.params['callSid'] ?? ''
    if (!callSidShape.test(callSid)) throw new OperatingError('bad_request', 'not a call SID')
    const call = this.#live.get(callSid) ?? (await this.#past.get(callSid))
    if (call === undefined) throw new OperatingError('not_found', 'no call of that SID is known')
    return json(200, { ...call, ...(await this.#policy.viewOf(callSid)) } satisfies CallDetail)
  }

  async #listPast(
    wanted: Wanted,
    state: z.infer<typeof callsQuery>['state'],
    after: Position | null,
  ): Promise<{ calls: readonly CallView[]; partial?: string }> {
    if (state === 'live') return { calls: [] }
    const states = state === 'ended' || state === 'interrupted' ? [state] : (['ended', 'interrupted'] as const)
    const place = after?.live === 0 ? { startedAtMs: after.startedAtMs, callSid: after.callSid } : null
    try {
      return { calls: await this.#readPast(wanted, states, place) }
    } catch (thrown) {
      const unavailable = thrown instanceof OperatingError && thrown.code === 'storage_unavailable'
      if (!unavailable || state !== 'all') throw thrown
      return { calls: [], partial: thrown.code }
    }
  }

  /** Reads on until there are enough calls that memory does not know, or no more. */
  async #readPast(wanted: Wanted, states: PastCallFilter['states'], place: PastCallFilter['after']) {
    const { label, text, limit, knownSids } = wanted
    const calls: CallView[] = []
    let after = place
    for (;;) {
      const asked = Math.min(limit, this.#storageBatch)
      const batch = await this.#past.list({ states, label, text, after, limit: asked })
      calls.push(...batch.filter((call) => !knownSids.has(call.callSid)))
      const last = batch.at(-1)
      if (last === undefined || batch.length < asked || calls.length >= limit) return calls
      after = { startedAtMs: Date.parse(last.startedAt), callSid: last.callSid }
    }
  }
}

interface Wanted {
  readonly label: Label | null
  readonly text: string | null
  readonly limit: number
  readonly knownSids: ReadonlySet<string>
}

/** The query as an object of the schema. @throws OperatingError bad_request naming every problem. */
export function parseQuery<T>(schema: z.ZodType<T>, query: string): T {
  const parsed = schema.safeParse(Object.fromEntries(new URLSearchParams(query)))
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map((issue) => [issue.path.join('.'), issue.message].filter(Boolean).join(': '))
  throw new OperatingError('bad_request', problems.join('; '))
}

/** A call as lists show it: the last scores instead of windows and gaps. */
function listed(call: CallView): object {
  const tracks = call.tracks.map(({ windows, gaps: _, ...track }) => ({
    ...track,
    lastWindows: windows.slice(-lastWindowsMax).map((window) => window.score),
  }))
  return { ...call, tracks }
}

function stateFits(state: CallState, wanted: string): boolean {
  return wanted === 'all' || wanted === state || (wanted === 'past' && state !== 'live')
}

function labelFits(call: CallView, label: Label | undefined): boolean {
  return label === undefined || call.tracks.some((track) => track.label === label)
}

function textFits(call: CallView, text: string | null): boolean {
  if (text === null) return true
  const wanted = text.toLowerCase()
  return [call.callSid, call.from, call.to].some((field) => field.toLowerCase().includes(wanted))
}

function positionOf(call: CallView): Position {
  return { live: call.state === 'live' ? 1 : 0, startedAtMs: Date.parse(call.startedAt), callSid: call.callSid }
}

/** Negative: `a` stands before `b`. */
function compare(a: Position, b: Position): number {
  if (a.live !== b.live) return b.live - a.live
  if (a.startedAtMs !== b.startedAtMs) return b.startedAtMs - a.startedAtMs
  return a.callSid === b.callSid ? 0 : a.callSid > b.callSid ? -1 : 1
}

function writeCursor(position: Position): string {
  return Buffer.from(JSON.stringify([position.live, position.startedAtMs, position.callSid])).toString('base64url')
}

function readCursor(text: string): Position {
  try {
    const [live, startedAtMs, callSid] = cursorShape.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')))
    return { live, startedAtMs, callSid }
  } catch {
    throw new OperatingError('bad_request', 'cursor: not one of ours')
  }
}
