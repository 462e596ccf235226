/**
 * Notices in the words of people: the values that templates are filled with. Phone numbers are masked here unless the
 * receiver may see them. Pure. Main thread.
 */
import { maskNumbers } from './masking.ts'
import type { Notice } from './notice.ts'
import type { TemplateValues } from './template.ts'

/** Every name that a template may use. */
export const templateNames: ReadonlySet<string> = new Set([
  'severity',
  'title',
  'type',
  'stage',
  'kind',
  'subject',
  'from',
  'to',
  'score',
  'action',
  'at',
  'reasons',
  'text',
  'link',
  'count',
  'lines',
  'more',
  'quiet',
])

/** Reasons shown of one notice. */
const reasonsMax = 5
/** Notices that a digest tells one by one. */
export const digestLinesMax = 50

/** What we read of the events' data; all of it may be missing. */
interface EventData {
  readonly callSid?: string
  readonly track?: string
  readonly from?: string
  readonly to?: string
  readonly score?: number | null
  readonly reasons?: readonly { readonly text?: string }[]
  readonly action?: { readonly action?: string; readonly state?: string; readonly text?: string }
  readonly detail?: string
  readonly code?: string
  readonly case?: EventCase
}

interface EventCase {
  readonly id?: string
  readonly kind?: string
  readonly subject?: { readonly type?: string; readonly value?: string }
  readonly score?: number
  readonly reasons?: readonly { readonly text?: string }[]
  readonly action?: { readonly intended?: string; readonly effective?: string; readonly shadow?: boolean } | null
}

export interface Wording {
  readonly numbers: 'full' | 'masked'
  /** Where the dashboard is seen, or null. */
  readonly publicUrl: string | null
}

/** One notice, for the template of a single message and for a line of a digest. */
export function noticeValues(notice: Notice, wording: Wording): TemplateValues {
  const data = notice.data as EventData
  const seen = (text: string | undefined): string =>
    text === undefined ? '' : wording.numbers === 'full' ? text : maskNumbers(text)
  const score = data.case?.score ?? data.score
  const { subject, reasons = data.reasons ?? [] } = data.case ?? {}
  const values = {
    severity: notice.severity,
    type: notice.type,
    stage: notice.stage,
    kind: notice.kind.replaceAll('_', ' '),
    subject: seen(subject?.value === undefined ? data.callSid : `${subject.type ?? ''} ${subject.value}`.trim()),
    from: seen(data.from),
    to: seen(data.to),
    score: typeof score === 'number' ? score.toFixed(2) : '',
    action: actionOf(data),
    at: notice.at.replace(/\.\d+Z$/, 'Z'),
    reasons: reasons.slice(0, reasonsMax).map(({ text = '' }) => ({ text: seen(text) })),
    text: seen(data.action?.text ?? data.detail),
    link: linkOf(notice, wording.publicUrl),
  }
  return { ...values, title: titleOf(notice, values) }
}

/** @param unlisted notices beside these. @param quiet they were held back by quiet hours */
export function digestValues(
  notices: readonly Notice[],
  unlisted: number,
  quiet: boolean,
  wording: Wording,
): TemplateValues {
  const lines = notices.slice(0, digestLinesMax).map((notice) => noticeValues(notice, wording))
  const count = notices.length + unlisted
  const more = count - lines.length
  return {
    count: String(count),
    lines,
    more: more > 0 ? String(more) : '',
    quiet: quiet ? 'quiet hours' : '',
  }
}

const labelWords: Readonly<Record<string, string>> = {
  likely_synthetic: 'Synthetic voice likely',
  likely_human: 'Human voice likely',
  inconclusive: 'Voice inconclusive',
  insufficient_speech: 'Too little speech to judge',
  benign_automation: 'Known automated voice',
}

function titleOf(notice: Notice, values: { readonly subject: string; readonly text: string }): string {
  const { callSid = '', track = '', code } = notice.data as EventData
  const last = notice.stage.split('/').at(-1) ?? ''
  if (notice.type === 'verdict') {
    const words = labelWords[notice.kind] ?? notice.kind
    return last === 'ended' ? `Call over: ${words} (${track}, ${callSid})` : `${words}, ${last} (${track}, ${callSid})`
  }
  if (notice.type === 'case') return `Case ${notice.stage}: ${notice.kind.replaceAll('_', ' ')}, ${values.subject}`
  if (notice.type === 'action') return `Action: ${values.text || notice.stage.replaceAll('_', ' ')} (${notice.about})`
  return `${notice.type === 'model' ? 'Model' : 'Health'}: ${values.text || code || notice.stage}`
}

function actionOf(data: EventData): string {
  const { action } = data.case ?? {}
  if (action === undefined || action === null) return data.action?.action ?? ''
  return action.shadow ? `${action.intended} (shadow: nothing was done)` : (action.effective ?? '')
}

function linkOf(notice: Notice, publicUrl: string | null): string {
  if (publicUrl === null) return ''
  const [kind, id = ''] = notice.about.split('/')
  const place = kind === 'call' ? `calls/${id}` : kind === 'case' ? `cases/${id}` : ''
  return `${publicUrl.replace(/\/+$/, '')}/#/${place}`
}
