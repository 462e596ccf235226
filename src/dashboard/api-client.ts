/**
 * The page's requests to its own server: same origin, cookie, JSON. A refusal becomes an `ApiProblem` with the server's
 * words. Browser.
 */

import type { ActionView, CallDetail } from '../decisions/action-record.ts'
import type { CaseAct } from '../decisions/case-book.ts'
import type { CaseView } from '../decisions/case-view.ts'
import type { CallView, TrackVerdict } from '../decisions/verdict-view.ts'
import type { ModelView } from '../worker/model-view.ts'
import type { CaseDetail, CasePage, FraudAnswer, NumberView, QualityAnswer, TrafficAnswer } from './fraud-shapes.ts'

export class ApiProblem extends Error {
  readonly status: number

  constructor(status: number, detail: string) {
    super(detail)
    this.name = 'ApiProblem'
    this.status = status
  }
}

/** A track as lists tell it: the last scores instead of windows and gaps. */
type ListedTrack = Omit<TrackVerdict, 'windows' | 'gaps'> & { readonly lastWindows: readonly (number | null)[] }
export type ListedCall = Omit<CallView, 'tracks'> & { readonly tracks: readonly ListedTrack[] }

export interface CallPage {
  readonly calls: readonly ListedCall[]
  readonly next: string | null
  readonly partial?: string
}

export interface Thresholds {
  readonly synthetic: number
  readonly human: number
}

export interface Status {
  readonly status: 'ready' | 'degraded' | 'not_ready'
  readonly version: string
  readonly checks: Readonly<Record<string, { readonly state: 'ok' | 'degraded' | 'failed'; readonly detail?: string }>>
  readonly model: string | null
  readonly thresholds: Thresholds | null
  /** The server's time, ISO. */
  readonly at: string
}

export interface Who {
  readonly actor: string | null
  readonly role: string | null
}

async function request<T>(method: string, path: string, body?: object): Promise<T> {
  let response: Response
  try {
    response = await fetch(path, {
      method,
      credentials: 'same-origin',
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
  } catch {
    throw new ApiProblem(0, 'The server does not answer.')
  }
  const answer = (await response.json().catch(() => ({}))) as { detail?: string }
  if (!response.ok) throw new ApiProblem(response.status, answer.detail ?? `The server answered ${response.status}.`)
  return answer as T
}

type Query = Readonly<Record<string, string>>

/** With only what was said. */
function queryText(query: Query): string {
  const said = Object.entries(query).filter(([, value]) => value !== '')
  return said.length === 0 ? '' : `?${new URLSearchParams(said).toString()}`
}

export const api = {
  who: () => request<Who>('GET', '/v1/session'),
  signIn: (key: string) => request<Who>('POST', '/v1/session', { key }),
  signOut: () => request<object>('DELETE', '/v1/session'),
  status: () => request<Status>('GET', '/v1/status'),
  calls: (query: Query) => request<CallPage>('GET', `/v1/calls${queryText(query)}`),
  call: (callSid: string) => request<CallDetail>('GET', `/v1/calls/${encodeURIComponent(callSid)}`),
  undo: (callSid: string, actionId: string) =>
    request<ActionView>('POST', `/v1/calls/${callSid}/actions/${actionId}/undo`, {}),
  handsOff: (callSid: string, on: boolean) => request<object>('POST', `/v1/calls/${callSid}/hands-off`, { on }),
  cases: (query: Query) => request<CasePage>('GET', `/v1/cases${queryText(query)}`),
  case: (id: string) => request<CaseDetail>('GET', `/v1/cases/${encodeURIComponent(id)}`),
  decide: (id: string, decision: CaseAct, note: string) =>
    request<CaseView>('POST', `/v1/cases/${encodeURIComponent(id)}/${decision}`, note === '' ? {} : { note }),
  number: (number: string) => request<NumberView>('GET', `/v1/numbers/${encodeURIComponent(number)}`),
  traffic: (query: Query) => request<TrafficAnswer>('GET', `/v1/analytics/traffic${queryText(query)}`),
  fraud: (query: Query) => request<FraudAnswer>('GET', `/v1/analytics/fraud${queryText(query)}`),
  models: () => request<{ models: readonly ModelView[] }>('GET', '/v1/models'),
  activate: (name: string, version: string) => request<ModelView>('POST', `/v1/models/${name}/activate`, { version }),
  rollback: (name: string) => request<ModelView>('POST', `/v1/models/${name}/rollback`, {}),
  tryModel: (name: string, version: string | null) =>
    request<ModelView>('POST', `/v1/models/${name}/candidate`, { version }),
  quality: (query: Query) => request<QualityAnswer>('GET', `/v1/analytics/quality${queryText(query)}`),
}

export function problemText(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
