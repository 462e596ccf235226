/**
 * What others are told, beyond the page: one notice per call or case and stage, never one per window. A stage of a
 * track is its label, first provisional and then firm, and its end; a stage of a case is a change that a person or a
 * program would act upon. Ids come from the bus, so a notice has the same id however often it is sent. Main thread.
 */
import type { BusEvent, EventType } from './event-bus.ts'
import type { VerdictEvent } from './verdict-event.ts'

export const severities = ['info', 'low', 'medium', 'high', 'critical'] as const

export type Severity = (typeof severities)[number]

export interface Notice {
  /** `evt_<id on the bus>`. */
  readonly id: string
  readonly type: EventType
  /** `call/<callSid>`, `case/<id>`, or the type: notices about the same arrive in order. */
  readonly about: string
  /** `inbound/likely_synthetic/firm`, `opened` ... */
  readonly stage: string
  /** Label of a verdict, kind of a case, or empty. */
  readonly kind: string
  readonly severity: Severity
  /** ISO 8601. */
  readonly at: string
  readonly data: object
}

/** Tracks whose last told stage is remembered; live ones are bounded by admission. */
const tracksMax = 100_000

/** Of a case, the changes that are a stage. Strengthened is not: it happens with every call. */
const caseStages: Readonly<Record<string, Severity | null>> = {
  opened: null,
  cooled: 'low',
  closed: 'low',
  merged: 'low',
  confirmed: 'low',
  dismissed: 'low',
}

/** Money is lost by the minute while these go on. */
const costlyKinds = new Set(['irsf', 'pbx_hack'])

/** Turns events into notices; remembers the stage of each live track. */
export class NoticeSieve {
  readonly #stages = new Map<string, string>()

  /** Tracks remembered. */
  get size(): number {
    return this.#stages.size
  }

  /** Null: nothing new for anybody. */
  take(event: BusEvent, atMs: number): Notice | null {
    const facts = this.#facts(event)
    if (facts === null) return null
    const { at } = event.data as { at?: unknown }
    const when = typeof at === 'string' ? at : new Date(atMs).toISOString()
    return { id: `evt_${event.id}`, type: event.type, at: when, data: event.data, ...facts }
  }

  #facts(event: BusEvent): Facts | null {
    switch (event.type) {
      case 'verdict':
        return this.#verdict(event.data as VerdictEvent)
      case 'case':
        return caseFacts(event.data)
      case 'action':
        return actionFacts(event.data)
      default:
        return otherFacts(event)
    }
  }

  #verdict(verdict: VerdictEvent): Facts | null {
    const { callSid, track, label, provisional, state } = verdict
    const key = `${callSid}/${track}`
    const about = `call/${callSid}`
    if (state !== 'live') {
      this.#stages.delete(key)
      const severity = label === 'likely_synthetic' ? 'low' : 'info'
      return { about, stage: `${track}/ended`, kind: label, severity }
    }
    if (label === 'insufficient_speech') return null
    const stage = `${label}/${provisional ? 'provisional' : 'firm'}`
    if (this.#stages.get(key) === stage) return null
    for (const oldest of this.#stages.keys()) {
      if (this.#stages.size < tracksMax) break
      this.#stages.delete(oldest)
    }
    this.#stages.set(key, stage)
    return { about, stage: `${track}/${stage}`, kind: label, severity: verdictSeverity(label, provisional) }
  }
}

type Facts = Pick<Notice, 'about' | 'stage' | 'kind' | 'severity'>

function verdictSeverity(label: string, provisional: boolean): Severity {
  if (label === 'likely_synthetic') return provisional ? 'medium' : 'high'
  return label === 'inconclusive' ? 'low' : 'info'
}

interface CaseEvent {
  readonly change?: string
  readonly case?: {
    readonly id?: string
    readonly kind?: string
    readonly score?: number
    readonly action?: { readonly intended?: string } | null
  }
}

function caseFacts(data: object): Facts | null {
  const { change = '', case: it } = data as CaseEvent
  const known = caseStages[change]
  if (known === undefined || it?.id === undefined) return null
  const kind = it.kind ?? ''
  return { about: `case/${it.id}`, stage: change, kind, severity: known ?? openedSeverity(it) }
}

function openedSeverity({ kind = '', score = 0, action }: NonNullable<CaseEvent['case']>): Severity {
  if (costlyKinds.has(kind)) return 'critical'
  const intended = action?.intended
  if (intended === 'block' || intended === 'divert') return 'high'
  if (intended === 'allow') return 'low'
  return score >= 0.9 && intended === undefined ? 'high' : 'medium'
}

interface ActionEvent {
  /** `hands_off` has no action. */
  readonly change?: string
  readonly callSid?: string
  readonly caseId?: string
  readonly track?: string
  readonly action?: {
    readonly action?: string
    readonly rule?: string
    readonly state?: string
    readonly shadow?: boolean
  }
}

/** What matters to people when it was really done. The policy's own `notify` is meant for them. */
const actionSeverities: Readonly<Record<string, Severity>> = {
  observe: 'info',
  annotate: 'low',
  secondOpinion: 'low',
  notify: 'high',
  redirect: 'high',
  hangup: 'high',
}

function actionFacts(data: object): Facts {
  const { change = 'action', callSid, caseId, track, action } = data as ActionEvent
  const about = callSid !== undefined ? `call/${callSid}` : caseId !== undefined ? `case/${caseId}` : 'action'
  if (action === undefined) return { about, stage: change, kind: '', severity: 'low' }
  const { action: kind = 'action', rule, state, shadow = false } = action
  const stage = [track, kind, rule, state].filter((part) => part !== undefined).join('/')
  const severity = actionSeverities[kind] ?? 'high'
  return { about, stage, kind, severity: shadow && severities.indexOf(severity) > 1 ? 'low' : severity }
}

/** Models and health: an event may say how much it matters. */
function otherFacts({ type, data }: BusEvent): Facts {
  const { severity, code, change } = data as { severity?: unknown; code?: unknown; change?: unknown }
  const given = severities.find((each) => each === severity)
  const stage = [code, change].find((each) => typeof each === 'string') as string | undefined
  return { about: type, stage: stage ?? type, kind: '', severity: given ?? (type === 'health' ? 'medium' : 'low') }
}

/** What one receiver wants to be told. */
export interface NoticeFilter {
  readonly types: readonly EventType[]
  /** Of verdicts and cases: labels and kinds; empty: all. */
  readonly kinds: readonly string[]
  readonly minSeverity: Severity
}

export function wants(filter: NoticeFilter, notice: Notice): boolean {
  const { types, kinds, minSeverity } = filter
  if (!types.includes(notice.type)) return false
  const hasKind = notice.type === 'verdict' || notice.type === 'case'
  if (hasKind && kinds.length > 0 && !kinds.includes(notice.kind)) return false
  return severities.indexOf(notice.severity) >= severities.indexOf(minSeverity)
}
