/**
 * Typed reads for the API: pages of calls, one call with its windows, counts. Everything the caller gives travels as
 * a bound parameter. Numbers, nulls and dates come back as the API shows them, not as ClickHouse writes them. Main
 * thread.
 */
import { floatOf } from './interrupted-calls.ts'
import type { Store } from './store.ts'

export type StoredState = 'live' | 'ended' | 'interrupted'

export interface StoredWindow {
  readonly startMs: number
  readonly endMs: number
  readonly hopStartMs: number
  readonly score: number | null
  readonly llr: number | null
  /** OR of `hopFlag`. */
  readonly flags: number
  readonly speechMs: number
  readonly filledMs: number
  readonly lostMs: number
  readonly label: string
  readonly scoredAt: string
}

export interface StoredTrack {
  readonly track: string
  readonly streamSid: string
  readonly label: string
  readonly score: number | null
  readonly confidence: number
  readonly provisional: boolean
  readonly netSpeechMs: number
  readonly audioMs: number
  readonly gapMs: number
  readonly lostMs: number
  readonly duplicates: number
  readonly reasons: readonly unknown[]
  readonly gaps: readonly unknown[]
  /** As `TrackVerdict.signals` was; null: none were heard, or the call is from before they were kept. */
  readonly signals: object | null
  readonly model: string
  /** Of a page: the newest 60, oldest first. Of one call: all, up to `windowsMax`. */
  readonly windows: readonly StoredWindow[]
}

export interface StoredCall {
  readonly callSid: string
  readonly accountSid: string
  readonly from: string
  readonly to: string
  readonly direction: string
  readonly stirVerstat: string
  readonly state: StoredState
  readonly startedAt: string
  readonly endedAt: string | null
  readonly endReason: string | null
  readonly tracks: readonly StoredTrack[]
}

/** Where a page ended; the next one begins before it. */
export interface CallsCursor {
  readonly startedAtMs: number
  readonly callSid: string
}

export interface CallsPageRequest {
  readonly limit: number
  readonly before?: CallsCursor | undefined
  readonly states?: readonly StoredState[] | undefined
  /** Some track has this label. */
  readonly label?: string | undefined
  /** Part of the call SID or of a number, plain characters. */
  readonly text?: string | undefined
}

export interface CallsPage {
  readonly calls: readonly StoredCall[]
  readonly next: CallsCursor | null
}

export interface Counts {
  readonly calls: number
  readonly live: number
  readonly interrupted: number
  readonly windows: number
}

type Answer = Record<string, unknown>

const pageLimitMax = 500
const windowsMax = 100_000
const windowsInPage = 60

export class Reports {
  readonly #store: Pick<Store, 'query'>

  constructor(store: Pick<Store, 'query'>) {
    this.#store = store
  }

  /** Newest first. A call's state is `live` while one of its tracks is. */
  async listCalls(request: CallsPageRequest): Promise<CallsPage> {
    const limit = Math.max(1, Math.min(pageLimitMax, Math.trunc(request.limit)))
    const parameters: Record<string, string | number> = { take: limit + 1 }
    const conditions: string[] = []
    if (request.before !== undefined) {
      parameters['beforeMs'] = request.before.startedAtMs
      parameters['beforeSid'] = request.before.callSid
      conditions.push('(first_ms, call_sid) < ({beforeMs:Int64}, {beforeSid:String})')
    }
    if (request.states !== undefined) {
      const places = request.states.map((state, index) => {
        parameters[`state${index}`] = state
        return `{state${index}:String}`
      })
      conditions.push(`call_state IN (${places.join(', ')})`)
    }
    if (request.label !== undefined) {
      parameters['label'] = request.label
      conditions.push('countIf(label = {label:String}) > 0')
    }
    if (request.text !== undefined) {
      parameters['text'] = request.text
      conditions.push(
        '(positionCaseInsensitive(call_sid, {text:String}) > 0 OR countIf(position(from_number, {text:String}) > 0 ' +
          'OR position(to_number, {text:String}) > 0) > 0)',
      )
    }
    const having = conditions.length === 0 ? '' : `HAVING ${conditions.join(' AND ')}`
    const rows = await this.#store.query(
      `SELECT * FROM calls FINAL WHERE call_sid IN (
         SELECT call_sid FROM (
           SELECT call_sid, toUnixTimestamp64Milli(min(started_at)) AS first_ms,
             multiIf(countIf(state = 'live') > 0, 'live', countIf(state = 'interrupted') > 0, 'interrupted', 'ended')
               AS call_state
           FROM calls FINAL GROUP BY call_sid ${having} ORDER BY first_ms DESC, call_sid DESC LIMIT {take:UInt32}
         )
       ) ORDER BY call_sid, track`,
      parameters,
    )
    const calls = callsOf(rows, await this.#lastWindows(rows))
    const page = calls.slice(0, limit)
    const last = page.at(-1)
    const more = calls.length > limit && last !== undefined
    return { calls: page, next: more ? { startedAtMs: Date.parse(last.startedAt), callSid: last.callSid } : null }
  }

  /** Undefined when no such call is stored. */
  async call(callSid: string): Promise<StoredCall | undefined> {
    const parameters = { callSid }
    const [rows, windows] = await Promise.all([
      this.#store.query('SELECT * FROM calls FINAL WHERE call_sid = {callSid:String} ORDER BY track', parameters),
      this.#store.query(
        `SELECT * FROM voice_windows WHERE call_sid = {callSid:String}
         ORDER BY track, end_ms, scored_at LIMIT ${windowsMax}`,
        parameters,
      ),
    ])
    return callsOf(rows, windows)[0]
  }

  async counts(): Promise<Counts> {
    const [row = {}] = await this.#store.query(
      `SELECT uniqExact(call_sid) AS calls, uniqExactIf(call_sid, state = 'live') AS live,
         uniqExactIf(call_sid, state = 'interrupted') AS interrupted,
         (SELECT count() FROM voice_windows) AS windows
       FROM calls FINAL`,
      {},
    )
    return {
      calls: Number(row['calls'] ?? 0),
      live: Number(row['live'] ?? 0),
      interrupted: Number(row['interrupted'] ?? 0),
      windows: Number(row['windows'] ?? 0),
    }
  }

  async #lastWindows(calls: readonly Answer[]): Promise<Answer[]> {
    const sids = [...new Set(calls.map((row) => String(row['call_sid'])))]
    if (sids.length === 0) return []
    const parameters = Object.fromEntries(sids.map((sid, index) => [`s${index}`, sid]))
    const places = sids.map((_, index) => `{s${index}:String}`).join(', ')
    return await this.#store.query(
      `SELECT * FROM (
         SELECT * FROM voice_windows WHERE call_sid IN (${places})
         ORDER BY call_sid, track, end_ms DESC LIMIT ${windowsInPage} BY call_sid, track
       ) ORDER BY call_sid, track, end_ms`,
      parameters,
    )
  }
}

/** Rows of tracks -> calls, newest first. */
function callsOf(rows: readonly Answer[], windows: readonly Answer[]): StoredCall[] {
  const windowsByTrack = groupedBy(windows, (row) => `${row['call_sid']}/${row['track']}`)
  const calls = [...groupedBy(rows, (row) => String(row['call_sid'])).values()].map((tracks) =>
    callOf(tracks, windowsByTrack),
  )
  return calls.sort((a, b) => compare(b.startedAt, a.startedAt) || compare(b.callSid, a.callSid))
}

function groupedBy(rows: readonly Answer[], keyOf: (row: Answer) => string): Map<string, Answer[]> {
  const groups = new Map<string, Answer[]>()
  for (const row of rows) {
    const key = keyOf(row)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [row])
    else group.push(row)
  }
  return groups
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function callOf(tracks: readonly Answer[], windows: Map<string, Answer[]>): StoredCall {
  const first = tracks[0] ?? {}
  const states = new Set(tracks.map((row) => String(row['state'])))
  const ends = tracks.map((row) => String(row['ended_at'])).sort()
  const state = states.has('live') ? 'live' : states.has('interrupted') ? 'interrupted' : 'ended'
  const deciding = tracks.find((row) => row['state'] === state) ?? first
  return {
    callSid: String(first['call_sid']),
    accountSid: String(first['account_sid']),
    from: String(first['from_number']),
    to: String(first['to_number']),
    direction: String(first['direction']),
    stirVerstat: String(first['stir_verstat']),
    state,
    startedAt: tracks.map((row) => String(row['started_at'])).sort()[0] ?? '',
    endedAt: state === 'live' ? null : (ends.at(-1) ?? null),
    endReason: state === 'live' ? null : String(deciding['end_reason']),
    tracks: tracks.map((row) => trackOf(row, windows.get(`${row['call_sid']}/${row['track']}`) ?? [])),
  }
}

function trackOf(row: Answer, windows: readonly Answer[]): StoredTrack {
  return {
    track: String(row['track']),
    streamSid: String(row['stream_sid']),
    label: String(row['label']),
    score: row['has_score'] === 1 ? Number(row['score']) : null,
    confidence: Number(row['confidence']),
    provisional: row['provisional'] === 1,
    netSpeechMs: Number(row['net_speech_ms']),
    audioMs: Number(row['audio_ms']),
    gapMs: Number(row['gap_ms']),
    lostMs: Number(row['lost_ms']),
    duplicates: Number(row['duplicates']),
    reasons: listOf(row['reasons_json']),
    gaps: listOf(row['gaps_json']),
    signals: objectOf(row['signals_json']),
    model: String(row['model']),
    windows: windows.map(windowOf),
  }
}

function windowOf(row: Answer): StoredWindow {
  const scored = row['has_score'] === 1
  const llr = floatOf(row['llr'])
  return {
    startMs: Number(row['start_ms']),
    endMs: Number(row['end_ms']),
    hopStartMs: Number(row['hop_start_ms']),
    score: scored ? Number(row['score']) : null,
    llr: scored && Number.isFinite(llr) ? llr : null,
    flags: Number(row['flags']),
    speechMs: Number(row['speech_ms']),
    filledMs: Number(row['filled_ms']),
    lostMs: Number(row['lost_ms']),
    label: String(row['label']),
    scoredAt: String(row['scored_at']),
  }
}

/** What we wrote as JSON; anything else reads as empty. */
function objectOf(json: unknown): object | null {
  try {
    const value: unknown = JSON.parse(String(json))
    return typeof value === 'object' ? value : null
  } catch {
    return null
  }
}

function listOf(json: unknown): unknown[] {
  try {
    const value: unknown = JSON.parse(String(json))
    return Array.isArray(value) ? value : []
  } catch {
    return []
  }
}
