/**
 * `voicefw replay FILE --source NAME [--json]`: the whole CDR path over a file in event time, as fast as it goes,
 * nothing stored: mapping, windows, rules, cases, and what the configured policy would have done in each hour if it
 * were not in shadow mode. Streams; memory is bounded by the caps of `cdr.keys` and `cdr.windows.heldMax`. Main thread
 * of the command.
 */
import { statSync } from 'node:fs'
import type { Readable } from 'node:stream'
import type { CdrConfig, FraudAction } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import { subjectKey } from '../decisions/case-subjects.ts'
import type { FraudCase } from '../decisions/cases.ts'
import type { FlashCallScorer } from '../decisions/flash-call-rule.ts'
import { FraudDetector } from '../decisions/fraud-detector.ts'
import { FraudPolicy } from '../decisions/fraud-policy.ts'
import { PolicyForecast, type Stopped, severity } from '../decisions/policy-forecast.ts'
import { loadSource } from '../ingest/cdr-sources.ts'
import type { CdrRecord } from '../wire/cdr-record.ts'
import { CdrSource, type Rejection } from '../wire/cdr-source.ts'
import { loadFlashCallScorer } from '../worker/flash-call-scorer.ts'
import { chosenFormat, count, pump } from './map.ts'
import { type ExitCode, type Terminal, table } from './terminal.ts'

export interface ReplayOptions {
  /** A path, or `-` for stdin. */
  readonly file: string
  readonly source: string
  readonly sourceDirectories?: readonly string[]
  readonly format?: string
  /** How many cases are shown. */
  readonly top: number
  readonly json: boolean
  readonly cdr: CdrConfig
  readonly clock: Clock
  readonly terminal: Terminal
  readonly input?: Readable
}

/** Cases kept to be ranked at the end; more are counted. */
const casesKeptMax = 20_000
const rejectionsShown = 5

export interface ReplayTally {
  records: number
  rejected: number
  skipped: number
  readonly codes: Record<string, number>
  readonly firstRejected: Rejection[]
}

/** One run: what the file held and what was found in it. */
export class Replay {
  readonly tally: ReplayTally = { records: 0, rejected: 0, skipped: 0, codes: {}, firstRejected: [] }
  readonly forecast: PolicyForecast
  readonly detector: FraudDetector
  readonly #cases = new Map<string, FraudCase>()
  #numbers = 0
  casesBeyond = 0

  constructor(cdr: CdrConfig, scorer: FlashCallScorer) {
    this.forecast = new PolicyForecast(new FraudPolicy(cdr.policy))
    this.detector = new FraudDetector({
      config: cdr,
      scorer,
      // A file has no arrival times: whatever fits into the buffer is put in order.
      reorder: { latenessMs: Number.POSITIVE_INFINITY, heldMax: cdr.windows.heldMax },
      newCaseId: () => `case-${++this.#numbers}`,
      onCall: (event, cases) => this.forecast.call(event, cases),
      onCase: (change, it) => this.#changed(change, it),
    })
  }

  #changed(change: string, it: FraudCase): void {
    if (change === 'merged') this.#cases.delete(it.id)
    if (change !== 'opened') return
    if (this.#cases.size >= casesKeptMax) this.casesBeyond++
    else this.#cases.set(it.id, it)
  }

  cdr(record: CdrRecord): void {
    this.tally.records++
    this.detector.record(record)
  }

  rejected(rejection: Rejection): void {
    this.tally.rejected++
    count(this.tally.codes, rejection.code)
    if (this.tally.firstRejected.length < rejectionsShown) this.tally.firstRejected.push(rejection)
  }

  skipped(): void {
    this.tally.skipped++
  }

  /** The input is at its end. @returns the cases, worst first. */
  async finish(): Promise<FraudCase[]> {
    await this.detector.flush()
    const cases = [...this.#cases.values()].sort((a, b) => severity(b) - severity(a) || a.openedMs - b.openedMs)
    for (const each of cases) this.forecast.hour(each.openedMs).alerts++
    return cases
  }
}

/** @returns the exit code: 0 when the file was replayed, 1 when nothing in it mapped, 2 for bad usage or mapping. */
export async function runReplay(options: ReplayOptions): Promise<ExitCode> {
  const { terminal, clock } = options
  const startMs = clock.steadyMs()
  try {
    const { scorer } = await loadFlashCallScorer()
    const replay = new Replay(options.cdr, scorer)
    const { name, mapping } = loadSource(options.source, options.sourceDirectories)
    const source = new CdrSource(name, mapping, replay)
    const total = options.file === '-' || options.input !== undefined ? 0 : sizeOf(options.file)
    let shownMs = startMs
    await pump(options, source, chosenFormat(options.format), async (bytes) => {
      await replay.detector.advance()
      const nowMs = clock.steadyMs()
      if (nowMs - shownMs < 500) return true
      shownMs = nowMs
      const share = total === 0 ? '' : `${Math.floor((bytes * 100) / total)} %  `
      terminal.progress(`${share}${replay.tally.records} records, ${replay.detector.cases.size} cases open`)
      return true
    })
    source.end()
    const cases = await replay.finish()
    terminal.progress('')
    const seconds = (clock.steadyMs() - startMs) / 1000
    if (options.json) terminal.print(JSON.stringify(document(replay, cases, options, seconds)))
    else for (const line of report(replay, cases, options, seconds)) terminal.print(line)
    return replay.tally.records === 0 && replay.tally.rejected > 0 ? 1 : 0
  } catch (thrown) {
    terminal.progress('')
    terminal.remark(messageOf(thrown))
    return thrown instanceof OperatingError && thrown.domain !== 'dependency' ? 2 : 1
  }
}

function sizeOf(file: string): number {
  try {
    return statSync(file).size
  } catch {
    return 0
  }
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString()
}

function shortTime(timeMs: number): string {
  return iso(timeMs).slice(0, 16).replace('T', ' ')
}

function caseDocument(it: FraudCase): Record<string, unknown> {
  return {
    id: it.id,
    kind: it.kind,
    subject: it.subject,
    state: it.state,
    score: Number(it.score.toFixed(4)),
    calls: it.calls,
    reasons: it.reasons,
    evidence: it.evidence,
    firstSeen: iso(it.firstSeenMs),
    openedAt: iso(it.openedMs),
    lastSeen: iso(it.lastSeenMs),
    casesTakenIn: it.absorbed,
  }
}

function counts(replay: Replay, seconds: number): Record<string, number> {
  const { tally, detector } = replay
  return {
    records: tally.records,
    rejected: tally.rejected,
    skipped: tally.skipped,
    attempts: detector.events,
    notAttempts: detector.notAttempts,
    late: detector.late,
    keys: detector.windows.keys,
    keysEvicted: detector.windows.evicted,
    casesRefused: detector.cases.refused + replay.casesBeyond,
    seconds: Number(seconds.toFixed(2)),
    recordsPerSecond: Math.round(tally.records / Math.max(seconds, 0.001)),
  }
}

function document(
  replay: Replay,
  cases: readonly FraudCase[],
  options: ReplayOptions,
  seconds: number,
): Record<string, unknown> {
  const { forecast, tally } = replay
  const hours = [...forecast.hours.values()].sort((a, b) => a.hourMs - b.hourMs)
  return {
    counts: counts(replay, seconds),
    rejectedBy: tally.codes,
    firstRejected: tally.firstRejected,
    casesFound: cases.length,
    cases: cases.map(caseDocument),
    forecast: {
      policy: options.cdr.policy.actions,
      shadow: options.cdr.policy.shadow,
      perHour: hours.map(({ hourMs, attempts, alerts, actions }) => ({
        hour: iso(hourMs),
        attempts,
        alerts,
        ...actions,
      })),
      wouldBlock: forecast.under('block').slice(0, 1000),
      wouldDivert: forecast.under('divert').slice(0, 1000),
      wouldChallenge: forecast.under('challenge').slice(0, 1000),
      wouldLabel: forecast.under('label').slice(0, 1000),
    },
  }
}

function report(replay: Replay, cases: readonly FraudCase[], options: ReplayOptions, seconds: number): string[] {
  const summary = Object.entries(counts(replay, seconds)).map(([key, value]) => `${key}=${value}`)
  const lines = [summary.join(' ')]
  for (const { line, code, detail } of replay.tally.firstRejected)
    lines.push(`rejected line ${line}: ${code}: ${detail}`)
  lines.push('', cases.length === 0 ? 'No cases.' : `Cases: ${cases.length}, worst first`)
  const shown = cases.slice(0, options.top)
  for (const [index, it] of shown.entries()) {
    const span = `${shortTime(it.firstSeenMs)} to ${shortTime(it.lastSeenMs)}`
    lines.push(
      '',
      `${index + 1}. ${it.kind}  ${subjectKey(it.subject)}  score ${it.score.toFixed(2)}  ${it.calls} calls`,
    )
    lines.push(`   ${span} UTC, ${it.state}${it.absorbed > 0 ? `, took in ${it.absorbed} narrower cases` : ''}`)
    for (const reason of it.reasons) lines.push(`   - ${reason.text}`)
    lines.push(`   evidence: ${it.evidence.slice(0, 5).join(' ')}${it.evidence.length > 5 ? ' ...' : ''}`)
  }
  if (cases.length > shown.length) lines.push('', `... ${cases.length - shown.length} more; --top shows more of them`)
  lines.push('', 'What the policy would have done per hour (were it not in shadow mode)', ...hourTable(replay.forecast))
  lines.push(...stoppedTable(replay.forecast))
  return lines
}

/** Hours in which something would have happened, and a last line over all. */
function hourTable(forecast: PolicyForecast): string[] {
  const hours = [...forecast.hours.values()].sort((a, b) => a.hourMs - b.hourMs)
  const actions: readonly FraudAction[] = ['allow', 'label', 'challenge', 'divert', 'block']
  const cells = (
    name: string,
    of: readonly { attempts: number; alerts: number; actions: Record<string, number> }[],
  ) => [
    name,
    ...[...['attempts', 'alerts'], ...actions].map((key) =>
      String(
        of.reduce((sum, hour) => {
          if (key === 'attempts') return sum + hour.attempts
          return sum + (key === 'alerts' ? hour.alerts : (hour.actions[key] ?? 0))
        }, 0),
      ),
    ),
  ]
  const busy = hours.filter((hour) => hour.alerts > 0 || hour.actions.allow < hour.attempts)
  const rows = busy.slice(0, 168).map((hour) => cells(shortTime(hour.hourMs), [hour]))
  return table(['hour (UTC)', 'attempts', 'alerts', ...actions], [...rows, cells(`all ${hours.length} hours`, hours)])
}

function stoppedTable(forecast: PolicyForecast): string[] {
  const blocked: Stopped[] = forecast.under('block')
  if (blocked.length === 0) return ['', 'Nobody would have been blocked.']
  const rows = blocked
    .slice(0, 20)
    .map((each) => [each.subject, each.kind, String(each.calls), String(each.conversations)])
  return ['', 'Who would have been blocked', ...table(['subject', 'kind', 'calls', 'of them conversations'], rows)]
}
