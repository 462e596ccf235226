/**
 * `voicefw evaluate flash-call --data F.ndjson --labels L.csv [--json]`: the whole CDR path over labelled records, and
 * how good its cases are: every kind, with intervals. Records as `--source` reads them (canonical by default), labels
 * as `simulate cdr` writes them. Nothing is stored. Main thread of the command.
 */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { CdrConfig } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import { loadSource } from '../ingest/cdr-sources.ts'
import { type CallTruth, CaseEvaluation } from '../training/case-evaluation.ts'
import { type EvaluationReport, type KindReport, reportOf } from '../training/case-report.ts'
import type { Measured } from '../training/measures.ts'
import { CdrSource } from '../wire/cdr-source.ts'
import { loadFlashCallScorer } from '../worker/flash-call-scorer.ts'

import { pump } from './map.ts'
import { type ExitCode, type Terminal, table } from './terminal.ts'

export interface EvaluateFlashCallOptions {
  readonly data: string
  readonly labels: string
  readonly source: string
  /** `rule`, a folder with a model, or nothing: the active model. */
  readonly scorer?: string
  readonly json: boolean
  readonly cdr: CdrConfig
  readonly clock: Clock
  readonly terminal: Terminal
}

/** Labels are held in memory, about 200 bytes each. */
export const labelsMax = 5_000_000
const falseCasesShown = 10

export async function evaluateFlashCall(options: EvaluateFlashCallOptions): Promise<ExitCode> {
  const { terminal, clock } = options
  const labels = await readLabels(options.labels, labelsMax)
  const { scorer, name } = await loadFlashCallScorer(options.scorer)
  const evaluation = new CaseEvaluation(options.cdr, scorer, (id) => labels.get(id))
  let rejected = 0
  let records = 0
  const { name: sourceName, mapping } = loadSource(options.source)
  const source = new CdrSource(sourceName, mapping, {
    cdr: (record) => {
      records++
      evaluation.record(record)
    },
    rejected: () => {
      rejected++
    },
    skipped: () => undefined,
  })
  let shownMs = clock.steadyMs()
  await pump({ file: options.data }, source, null, async () => {
    await evaluation.advance()
    if (clock.steadyMs() - shownMs >= 500) {
      shownMs = clock.steadyMs()
      terminal.progress(`${records} of about ${labels.size} records`)
    }
    return true
  })
  source.end()
  const report = reportOf(await evaluation.finish())
  terminal.progress('')
  if (options.json) terminal.print(JSON.stringify({ scorer: name, records, rejected, ...report }))
  else for (const line of lines(report, name, records, rejected)) terminal.print(line)
  if (report.unlabelled > 0) terminal.remark(`${report.unlabelled} records have no label; they count as normal`)
  return records === 0 || report.unlabelled === report.calls ? 1 : 0
}

/** `id,label,campaign,subject`, in any order of columns. @throws OperatingError `bad_request` */
export async function readLabels(path: string, mostLabels: number): Promise<Map<string, CallTruth>> {
  const labels = new Map<string, CallTruth>()
  // Campaigns have few names and many calls: one object each.
  const truths = new Map<string, CallTruth>()
  let columns: { id: number; label: number; campaign: number } | null = null
  try {
    for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
      const cells = line.split(',')
      if (columns === null) {
        columns = { id: cells.indexOf('id'), label: cells.indexOf('label'), campaign: cells.indexOf('campaign') }
        const missing = Object.entries(columns).find(([, at]) => at < 0)?.[0]
        if (missing !== undefined) throw new OperatingError('bad_request', `${path}: no column "${missing}"`)
        continue
      }
      if (line === '') continue
      if (labels.size >= mostLabels) {
        throw new OperatingError('bad_request', `${path}: more than ${mostLabels} labels; evaluate in pieces`)
      }
      const label = cells[columns.label] ?? ''
      const campaign = cells[columns.campaign] ?? ''
      const key = `${label},${campaign}`
      let truth = truths.get(key)
      if (truth === undefined) {
        truth = { label, campaign }
        truths.set(key, truth)
      }
      labels.set(cells[columns.id] ?? '', truth)
    }
  } catch (thrown) {
    if (thrown instanceof OperatingError) throw thrown
    throw new OperatingError('bad_request', `${path} cannot be read: ${messageOf(thrown)}`)
  }
  return labels
}

function share(measured: Measured | null): string {
  if (measured === null) return '-'
  const { value, low, high } = measured
  return `${value.toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}]`
}

function rate(measured: Measured | null): string {
  if (measured === null) return '-'
  const { value, low, high } = measured
  return `${value.toFixed(1)} [${low.toFixed(1)}, ${high.toFixed(1)}]`
}

function whole(value: number | null): string {
  return value === null ? '-' : String(Math.round(value))
}

function plain(value: number | null): string {
  return value === null ? '-' : value.toFixed(2)
}

function lines(report: EvaluationReport, scorer: string, records: number, rejected: number): string[] {
  const { kinds, flashCallLooks: looks } = report
  const head = ['kind', 'campaigns', 'found', 'recall', 'cases', 'true', 'precision', 'alerts/day', 'false/day']
  const rows = Object.entries(kinds).map(([kind, of]: [string, KindReport]) => [
    kind,
    String(of.campaigns),
    of.foundAsOther > 0 ? `${of.found} (+${of.foundAsOther} as another kind)` : String(of.found),
    share(of.recall),
    String(of.cases),
    of.otherKind > 0 ? `${of.trueCases} (+${of.otherKind} another kind)` : String(of.trueCases),
    share(of.precision),
    rate(of.alertsPerDay),
    rate(of.falsePerDay),
    whole(of.callsToDetection),
    whole(of.secondsToDetection),
    plain(of.callRecall),
    plain(of.callPrecision),
  ])
  const detection = ['calls to', 'seconds to', 'calls met', 'rightly']
  const out = [
    `${records} records, ${rejected} rejected, ${report.days.toFixed(2)} days, flash calls scored by ${scorer}`,
    `all kinds: ${rate(report.alertsPerDay)} alerts a day, ${rate(report.falsePerDay)} of them about no campaign`,
    `flash_call PR-AUC over ${looks.campaign} windows of campaigns and ${looks.clean} clean ones: ` +
      `${share(report.flashCallPrAuc)}`,
    '',
    ...table([...head, ...detection], rows),
    '',
    'In brackets: 95 % intervals. Detection: median over the campaigns found. Calls met: share of calls of campaigns',
    'that fell under a case as they came; rightly: share of calls under a case that are of a campaign of its kind.',
  ]
  for (const [kind, { missed, falseCases }] of Object.entries(kinds)) {
    for (const { campaign, calls, lastsS, foundAs } of missed) {
      const as = foundAs === null ? '' : `, found as ${foundAs}`
      out.push(`missed: ${campaign}, ${calls} calls in ${Math.round(lastsS)} s${as}`)
    }
    for (const { subject, score, mostly } of falseCases.slice(0, falseCasesShown)) {
      out.push(`false: ${kind} on ${subject}, score ${score.toFixed(2)}, mostly ${mostly}`)
    }
    const more = falseCases.length - falseCasesShown
    if (more > 0) out.push(`false: ${more} more of ${kind}`)
  }
  return out
}
