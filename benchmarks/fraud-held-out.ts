/**
 * Detection on traffic that neither rules nor model were made on (configs/simulation/heldout.yaml and heldout-2.yaml,
 * number plan test): every kind of case, the flash-call rule and the active model side by side on the same calls.
 *
 *     node dist/benchmarks/fraud-held-out.js                 all sets, about half an hour of a core
 *     node dist/benchmarks/fraud-held-out.js 'second: 1 %'   this one; others stay as they were
 *     node dist/benchmarks/fraud-held-out.js --tables        nothing new, only the tables anew
 *
 * Writes fraud-held-out.json here and the tables of docs/fraud-evaluation.md.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { type HeldOutSet, heldOutKinds, heldOutSets, judgeHeldOut, secondSets } from '../src/cli/held-out-runs.ts'
import { tableHead, tableRow } from '../src/cli/held-out-words.ts'
import { loadConfig } from '../src/config/load.ts'
import { projectRoot } from '../src/core/project.ts'
import type { EvaluationReport } from '../src/training/case-report.ts'
import { loadFlashCallScorer } from '../src/worker/flash-call-scorer.ts'

const resultsFile = `${projectRoot}benchmarks/fraud-held-out.json`
const documentFile = `${projectRoot}docs/fraud-evaluation.md`
const marks = { start: '<!-- tables: written by benchmarks/fraud-held-out.ts -->', end: '<!-- end of tables -->' }

interface SetResult {
  readonly name: string
  readonly measuredAt: string
  readonly seeds: readonly number[]
  readonly prevalence: HeldOutSet['prevalence']
  readonly reports: Readonly<Record<string, EvaluationReport>>
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

const sets = [...secondSets, ...heldOutSets, ...heldOutKinds]

function titleOf({ name, reports }: SetResult): string {
  const [report] = Object.values(reports)
  const size = `${report!.calls.toLocaleString('en-US')} calls in ${report!.days.toFixed(1)} days`
  const words = name === 'none' ? 'No campaign at all: normal traffic and hard negatives' : `Flash calls: ${name}`
  if (name.startsWith('second: ')) return `### Second file, ${name.slice(8)} (${size})`
  return `### First file, ${name.startsWith('10 % ') ? `${name.slice(5)}: 10 %` : words} (${size})`
}

function markdown(result: SetResult): string[] {
  const lines = ['', titleOf(result), '', `| ${tableHead.join(' | ')} |`, `|${tableHead.map(() => '---|').join('')}`]
  const entries = Object.entries(result.reports)
  const kinds = new Set(entries.flatMap(([, { kinds: found }]) => Object.keys(found)))
  for (const kind of kinds) {
    for (const [scorer, report] of entries) {
      const of = report.kinds[kind as keyof typeof report.kinds]
      if (of !== undefined) lines.push(`| ${tableRow(kind, scorer, of).join(' | ')} |`)
    }
  }
  if (kinds.size === 0) lines.push(`| none | | | | 0 of 0 | | 0 | 0 | | | |`)
  lines.push('')
  for (const [scorer, { falsePerDay, flashCallPrAuc }] of entries) {
    const rate = falsePerDay
    const area = flashCallPrAuc
    const curve =
      area === null
        ? ''
        : `; PR-AUC of windows ${area.value.toFixed(3)} (${area.low.toFixed(3)}-${area.high.toFixed(3)})`
    lines.push(
      `- ${scorer}: ${rate?.value.toFixed(2)} cases a day about no campaign, all kinds ` +
        `(${rate?.low.toFixed(2)}-${rate?.high.toFixed(2)})${curve}`,
    )
  }
  lines.push(...calibrationLines(entries))
  return [...lines, ...missedLines(entries)]
}

/** What the model says of windows against how often it was true. */
function calibrationLines(entries: readonly (readonly [string, EvaluationReport])[]): string[] {
  return entries.flatMap(([scorer, { flashCallCalibration: bins = [] }]) => {
    if (scorer === 'rule' || bins.length === 0) return []
    const of = (share: number) => (share * 100).toFixed(share > 0.99 || share < 0.01 ? 2 : 0)
    const words = bins.map(({ looks, said, isTrue }) => `${of(said)} said, ${of(isTrue)} true (${looks})`)
    return [`- ${scorer}, windows of flash calls, % (windows): ${words.join('; ')}`]
  })
}

/** What was missed and what was wrong, campaign by campaign and case by case. */
function missedLines(entries: readonly (readonly [string, EvaluationReport])[]): string[] {
  const lines: string[] = []
  for (const [scorer, { kinds }] of entries) {
    for (const [kind, { missed, falseCases }] of Object.entries(kinds)) {
      if (scorer === 'rule' && kind !== 'flash_call') continue
      const gone = missed.map(({ calls, lastsS, foundAs }) => {
        return `${calls} calls in ${Math.round(lastsS / 60)} min${foundAs === null ? '' : ` (found as ${foundAs})`}`
      })
      if (gone.length > 0) lines.push(`- ${scorer}, ${kind} missed: ${gone.join('; ')}`)
      const wrong = falseCases.map(({ subject, mostly }) => `${subject} (mostly ${mostly.split(':')[1]})`)
      if (wrong.length > 0) lines.push(`- ${scorer}, ${kind} wrong: ${wrong.join('; ')}`)
    }
  }
  return lines
}

function save(results: readonly SetResult[]): void {
  writeFileSync(resultsFile, `${JSON.stringify(results, null, 1)}\n`)
  const document = read(documentFile) ?? `# How good fraud detection is\n\n${marks.start}\n${marks.end}\n`
  const [before, rest] = document.split(marks.start)
  const after = rest?.split(marks.end)[1]
  if (before === undefined || after === undefined) throw new Error(`${documentFile} lacks ${marks.start}`)
  const tables = results.flatMap(markdown).join('\n')
  writeFileSync(documentFile, `${before}${marks.start}\n${tables}\n\n${marks.end}${after}`)
}

const wanted = process.argv.slice(2)
if (wanted.includes('--tables')) save(JSON.parse(read(resultsFile) ?? '[]') as SetResult[])
const { cdr } = loadConfig({ env: {} })
const [rule, model] = await Promise.all([loadFlashCallScorer('rule'), loadFlashCallScorer()])
const scorers = { rule: rule.scorer, model: model.scorer }
for (const set of sets) {
  if (wanted.length > 0 && !wanted.includes(set.name)) continue
  const reports = await judgeHeldOut(set, scorers, cdr, (done, all) => {
    if (done % 100_000 === 0) console.error(`${set.name}: ${done} of ${all}`)
  })
  const { name, seeds, prevalence } = set
  const known = JSON.parse(read(resultsFile) ?? '[]') as SetResult[]
  const fresh: SetResult = { name, measuredAt: new Date().toISOString(), seeds, prevalence, reports }
  const all = sets.flatMap((each) => [fresh, ...known].find((result) => result.name === each.name) ?? [])
  save(all)
}
process.exit(0)
