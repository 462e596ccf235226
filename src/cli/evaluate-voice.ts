/**
 * `voicefw evaluate voice --manifest list.csv`: labelled recordings through decoding, resampling, features, model and
 * decision engine of the product, and how good its verdicts are. Bad rows are told with their line, their neighbours go
 * on. With --out a folder gets the page, the plots and the report. Main thread of the command.
 *
 *   list.csv -> RecordingScorer (as live) -> facts of each call -> report -> terminal, JSON, DIR/{voice-1.html,...}
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { VoiceConfig } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import { verdictSettings } from '../decisions/voice-verdict.ts'
import { activeModelDir, loadVoiceModel, modelLabel } from '../inference/model-file.ts'
import { CallCollector } from '../training/call-facts.ts'
import type { Interval } from '../training/detection-measures.ts'
import type { Measured } from '../training/measures.ts'
import { type BadRow, type ListedRecording, readVoiceList } from '../training/voice-list.ts'
import { voicePage } from '../training/voice-page.ts'
import { detPlot, reliabilityPlot } from '../training/voice-plots.ts'
import { type Figures, type JudgedCall, type VoiceReport, voiceReport } from '../training/voice-report.ts'
import { type Recording, RecordingScorer } from '../worker/recording-scorer.ts'
import { loadSecondStage, stagesLabel } from '../worker/staged-detector.ts'
import { type ExitCode, progressText, type Terminal, table } from './terminal.ts'

export interface EvaluateVoiceOptions {
  readonly manifest: string
  readonly json: boolean
  /** A folder for the page and its parts. */
  readonly out?: string
  /** A model version's folder; the active one when undefined. */
  readonly model?: string
  /** Columns to report by, beside condition and language. */
  readonly by: readonly string[]
  /** Draws of each interval. */
  readonly rounds: number
  readonly modelsDir?: string
  readonly voice: VoiceConfig
  readonly clock: Clock
  readonly terminal: Terminal
}

const usualGroups = ['condition', 'language'] as const
const badRowsShown = 20

export async function evaluateVoice(options: EvaluateVoiceOptions): Promise<ExitCode> {
  const { terminal, voice, modelsDir, out } = options
  const { rows, bad, columns } = readVoiceList(readList(options.manifest))
  const groupedBy = [...usualGroups.filter((name) => columns.includes(name)), ...options.by]
  for (const name of options.by) {
    if (!columns.includes(name)) throw new OperatingError('bad_request', `${options.manifest} has no column "${name}"`)
  }
  // Written at the end of a long run: better refused before it.
  if (out !== undefined) mkdirSync(out, { recursive: true })
  const model = loadVoiceModel(options.model ?? activeModelDir('voice', modelsDir))
  const secondStage = await loadSecondStage(voice, modelsDir)
  const label = stagesLabel(model.manifest, secondStage)
  const { synthetic, human } = verdictSettings(voice, model.manifest, label)
  const scorer = await RecordingScorer.create({ model, secondStage, voice })
  const calls = await judge(rows, bad, scorer, options)
  await scorer.release()
  const { rounds } = options
  terminal.progress('intervals')
  const report = voiceReport(calls, { thresholds: { synthetic, human }, groupedBy, rounds })
  terminal.progress('')
  bad.sort((a, b) => a.line - b.line)
  if (out !== undefined) writePage(out, report, { ...options, label, model, bad })
  const { sha256 } = model.manifest
  if (options.json) terminal.print(JSON.stringify({ model: label, sha256, ...report, rejected: bad }))
  else for (const line of lines(report, label)) terminal.print(line)
  for (const { line, detail } of bad.slice(0, badRowsShown)) {
    terminal.remark(`error: ${options.manifest}:${line}: ${detail}`)
  }
  if (bad.length > badRowsShown) terminal.remark(`error: ${bad.length - badRowsShown} more rows rejected`)
  return bad.length > 0 || calls.length === 0 ? 1 : 0
}

function readList(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (thrown) {
    throw new OperatingError('bad_request', `${path} cannot be read: ${messageOf(thrown)}`)
  }
}

async function judge(
  rows: readonly ListedRecording[],
  bad: BadRow[],
  scorer: RecordingScorer,
  { manifest, voice, clock, terminal }: EvaluateVoiceOptions,
): Promise<JudgedCall[]> {
  const folder = dirname(resolve(manifest))
  const collectors = rows.map(() => new CallCollector(voice))
  const recordings = rows.map(({ path }, at): Recording => {
    const file = resolve(folder, path)
    return {
      file,
      channelsMax: 1,
      read: () => readFile(file),
      heard: (hop, verdict) => collectors[at]!.heard(hop, verdict),
    }
  })
  const calls: JudgedCall[] = []
  const startMs = clock.steadyMs()
  let done = 0
  await scorer.score(recordings, (result) => {
    const row = rows[done]!
    if ('error' in result) {
      bad.push({ line: row.line, detail: `${row.path}: ${result.error.code}: ${result.error.message}` })
    } else {
      const { path: file, isSpoof, speaker, system, groups } = row
      calls.push({ file, isSpoof, speaker, system, groups, facts: collectors[done]!.facts() })
    }
    done += 1
    terminal.progress(progressText(done, rows.length, clock.steadyMs() - startMs))
  })
  return calls
}

interface Paged extends Omit<EvaluateVoiceOptions, 'model'> {
  readonly label: string
  readonly model: ReturnType<typeof loadVoiceModel>
  readonly bad: readonly BadRow[]
}

function writePage(out: string, report: VoiceReport, { label, model, bad, manifest, clock, terminal }: Paged): void {
  const name = modelLabel(model.manifest).replace('/', '-')
  const madeAt = new Date(clock.wallMs()).toISOString().slice(0, 16).replace('T', ' ')
  const facts = { model: model.manifest, label, list: basename(manifest), madeAt: `${madeAt} UTC`, rejected: bad }
  writeFileSync(join(out, `${name}.html`), voicePage(report, facts))
  writeFileSync(join(out, `${name}-det.svg`), detPlot(report.det))
  writeFileSync(join(out, `${name}-reliability.svg`), reliabilityPlot(report.reliability))
  writeFileSync(join(out, `${name}.json`), `${JSON.stringify({ model: label, ...report, rejected: bad }, null, 1)}\n`)
  terminal.remark(`${join(out, `${name}.html`)} and its plots`)
}

function interval(it: Interval | Measured | null, format: (value: number) => string): string {
  if (it === null) return '-'
  const { value, low, high } = it
  return low === null || high === null ? format(value) : `${format(value)} [${format(low)}, ${format(high)}]`
}

const percent = (value: number): string => (value * 100).toFixed(1)
const plain = (value: number): string => value.toFixed(3)

function figureRow(name: string, { human, spoof, eer, auc, detectionAt1PerHour: found }: Figures): string[] {
  return [name, `${human}`, `${spoof}`, interval(eer, percent), interval(auc, plain), interval(found, percent)]
}

function lines(report: VoiceReport, label: string): string[] {
  const { calls, humanSpeechHours, falseAlarms, engine, overall, bySystem, by, bySpeechLength } = report
  const head = ['', 'human', 'synthetic', 'EER %', 'AUC', 'found at 1/h %']
  const rows = [figureRow('all', overall)]
  for (const [name, figures] of Object.entries(bySystem)) rows.push(figureRow(name, figures))
  for (const [column, values] of Object.entries(by)) {
    for (const [value, figures] of Object.entries(values)) rows.push(figureRow(`${column} ${value}`, figures))
  }
  for (const [length, { all }] of Object.entries(bySpeechLength)) {
    if (all !== undefined) rows.push(figureRow(`after ${length}`, all))
  }
  const ends = (['human', 'spoof'] as const).map((side) => {
    const { calls: of, right, wrong, changesPerCall, firstRightLabel } = engine[side]
    const { median } = firstRightLabel.netSpeechS
    const time = median === null ? '-' : `${median.toFixed(1)} s`
    return [side, `${of}`, interval(right, percent), interval(wrong, percent), time, changesPerCall.toFixed(2)]
  })
  return [
    `${label}: ${calls.human} human calls (${humanSpeechHours.toFixed(2)} h of speech), ${calls.spoof} synthetic, ` +
      `${calls.unjudged} without anything to judge`,
    `false alarms an hour of human speech as shipped: ${interval(falseAlarms.perHour, (v) => v.toFixed(2))}`,
    '',
    ...table(head, rows),
    '',
    ...table(['calls', '', 'right at end %', 'wrong %', 'speech to right label', 'label changes'], ends),
    '',
    'In brackets: 95 % intervals over speakers and systems (EER, AUC, found), else over calls or as Poisson counts.',
  ]
}
