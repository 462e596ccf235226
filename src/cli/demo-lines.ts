/**
 * The lines a demo prints: which call began, every change of a verdict, how a call ended beside what its recording
 * truly is, and the fraud cases that open. Pure but for the clock that is handed in.
 *
 *   0:12  CA3f9c1e  synthetic-piper-en.wav  truth spoof (piper, en)  likely_synthetic  0.970  2.5 s of speech
 *   0:31  fraud case  wangiri  number 21610195460  0.98  94 calls  block (shadow)  96 % of 94 attempts within ...
 */
import type { Clock } from '../core/clock.ts'
import type { Clip } from '../simulator/clips.ts'

/** What is read of a verdict event. */
interface VerdictData {
  readonly callSid: string
  readonly track: string
  readonly state: string
  readonly label: string
  readonly score: number | null
  readonly provisional: boolean
  readonly netSpeechMs: number
}

/** What is read of a case event. */
interface CaseData {
  readonly change: string
  readonly case: {
    readonly kind: string
    readonly subject: { readonly type: string; readonly value: string }
    readonly score: number
    readonly calls: number
    readonly reasons?: readonly { readonly text: string }[]
    readonly action?: { readonly intended: string; readonly shadow: boolean }
  }
}

interface KnownCall {
  readonly clip: Clip
  /** Label printed last, by track. */
  readonly printed: Map<string, string>
  /** Verdict seen last on the inbound track. */
  last: VerdictData | undefined
}

/** Calls remembered; the oldest go, so that a demo may run for weeks. */
const callsKeptMax = 200

export class DemoLines {
  readonly #print: (line: string) => void
  readonly #clock: Clock
  readonly #startMs: number
  readonly #calls = new Map<string, KnownCall>()

  constructor(options: { print: (line: string) => void; clock: Clock }) {
    this.#print = options.print
    this.#clock = options.clock
    this.#startMs = options.clock.steadyMs()
  }

  begin(callSid: string, clip: Clip): void {
    this.#calls.set(callSid, { clip, printed: new Map(), last: undefined })
    for (const old of this.#calls.keys()) {
      if (this.#calls.size <= callsKeptMax) break
      this.#calls.delete(old)
    }
    this.#line(callSid, clip, 'call begins')
  }

  /** One verdict event's data; events of calls that are not ours are left out. */
  verdict(data: unknown): void {
    if (!isVerdict(data)) return
    const call = this.#calls.get(data.callSid)
    if (call === undefined) return
    if (data.track === 'inbound') call.last = data
    // Every call begins as insufficient_speech; that is no news.
    if ((call.printed.get(data.track) ?? 'insufficient_speech') === data.label) return
    call.printed.set(data.track, data.label)
    this.#line(data.callSid, call.clip, verdictText(data))
  }

  /** One case event's data; a line when the case opens. */
  caseChanged(data: unknown): void {
    if (!isCase(data) || data.change !== 'opened') return
    const { kind, subject, score, calls, reasons = [], action } = data.case
    const intended = action === undefined ? '' : `  ${action.intended}${action.shadow ? ' (shadow)' : ''}`
    const about = `${subject.type} ${subject.value}`
    const size = `${score.toFixed(2)}  ${String(calls).padStart(5)} calls${intended}`
    this.#print(
      `${this.#time()}  fraud case  ${kind.padEnd(18)}  ${about.padEnd(44)}  ${size}  ${reasons[0]?.text ?? ''}`,
    )
  }

  end(callSid: string): void {
    const call = this.#calls.get(callSid)
    if (call === undefined) return
    this.#line(callSid, call.clip, `call ends    ${call.last === undefined ? 'no verdict' : verdictText(call.last)}`)
  }

  #line(callSid: string, clip: Clip, what: string): void {
    const truth = `truth ${clip.truth ?? 'unknown'}${clip.about === '' ? '' : ` (${clip.about})`}`
    this.#print(`${this.#time()}  ${callSid.slice(0, 8)}  ${clip.name.padEnd(31)}  ${truth.padEnd(34)}  ${what}`)
  }

  #time(): string {
    const seconds = Math.floor((this.#clock.steadyMs() - this.#startMs) / 1000)
    return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`.padStart(6)
  }
}

function verdictText({ label, score, provisional, netSpeechMs, track }: VerdictData): string {
  const shown = score === null ? '  -  ' : score.toFixed(3)
  const side = track === 'inbound' ? '' : `  ${track}`
  const firm = provisional ? '  provisional' : ''
  return `${label.padEnd(19)}  ${shown}  ${(netSpeechMs / 1000).toFixed(1).padStart(5)} s of speech${firm}${side}`
}

function isVerdict(data: unknown): data is VerdictData {
  if (typeof data !== 'object' || data === null) return false
  const { callSid, track, label, score, netSpeechMs } = data as Partial<VerdictData>
  const texts = typeof callSid === 'string' && typeof track === 'string' && typeof label === 'string'
  return texts && (score === null || typeof score === 'number') && typeof netSpeechMs === 'number'
}

function isCase(data: unknown): data is CaseData {
  const { change, case: it } = (data ?? {}) as Partial<CaseData>
  if (typeof change !== 'string' || typeof it !== 'object' || it === null) return false
  const { kind, subject, score, calls } = it as Partial<CaseData['case']>
  const texts = [kind, subject?.type, subject?.value].every((text) => typeof text === 'string')
  return texts && typeof score === 'number' && typeof calls === 'number'
}
