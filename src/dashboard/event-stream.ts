/**
 * The page's one subscription to `/v1/events`. The browser reconnects by itself with Last-Event-ID after a dropped
 * connection; after a refusal (full house, signed out) it does not, so we ask why and try again. Browser.
 */
import type { Label, Reason, WindowView } from '../decisions/verdict-view.ts'
import type { CaseEvent } from './fraud-shapes.ts'

/** Data of a `verdict` event. */
export interface VerdictEvent {
  readonly callSid: string
  readonly track: 'inbound' | 'outbound'
  readonly state: 'live' | 'ended' | 'interrupted'
  readonly label: Label
  readonly score: number | null
  readonly confidence: number
  readonly provisional: boolean
  readonly netSpeechMs: number
  readonly gapMs: number
  readonly lostMs: number
  readonly window: WindowView | null
  readonly changed: boolean
  readonly reasons?: readonly Reason[]
}

/** Data of an `action` event, as far as the page looks: it asks for the rest. */
export interface ActionEvent {
  readonly callSid: string
}

export type ConnectionState = 'connecting' | 'live' | 'reconnecting'

export interface EventStreamListener {
  verdict(event: VerdictEvent): void
  action(event: ActionEvent): void
  fraudCase(event: CaseEvent): void
  /** Something about the house changed, or events were missed: ask again. */
  health(code: string | undefined): void
  state(state: ConnectionState): void
  /** The stream was refused; resolves to whether to try again. */
  refused(): Promise<boolean>
}

const retryMs = 3000

/** @returns the way to stop. */
export function openEventStream(listener: EventStreamListener): () => void {
  let source: EventSource | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let stopped = false
  const connect = () => {
    source = new EventSource('/v1/events')
    source.addEventListener('open', () => listener.state('live'))
    source.addEventListener('verdict', (event) => listener.verdict(JSON.parse(event.data) as VerdictEvent))
    source.addEventListener('action', (event) => listener.action(JSON.parse(event.data) as ActionEvent))
    source.addEventListener('case', (event) => listener.fraudCase(JSON.parse(event.data) as CaseEvent))
    for (const type of ['health', 'model'] as const) {
      source.addEventListener(type, (event) => listener.health((JSON.parse(event.data) as { code?: string }).code))
    }
    source.addEventListener('error', () => void failed())
  }
  const failed = async () => {
    if (stopped) return
    listener.state('reconnecting')
    if (source?.readyState !== EventSource.CLOSED) return
    source.close()
    const again = await listener.refused()
    if (again && !stopped) timer = setTimeout(connect, retryMs)
  }
  connect()
  return () => {
    stopped = true
    clearTimeout(timer)
    source?.close()
  }
}
