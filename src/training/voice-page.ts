/**
 * One self-contained HTML page of a model version: what it was measured to do, and its data sheet (what it is, what it
 * learned from, what it cannot do). No script, no other file. Pure.
 */
import type { Interval } from './detection-measures.ts'
import type { Measured } from './measures.ts'
import { detPlot, escaped, reliabilityPlot } from './voice-plots.ts'
import type { AlarmFigures, CallFigures, Figures, TimeFigures, VoiceReport } from './voice-report.ts'

/** What the page tells of a model; more keys of its manifest are shown as they are. */
export interface PagedModel {
  readonly name: string
  readonly version: string
  readonly sha256: string
  readonly training: unknown
  readonly metrics: unknown
  readonly calibration: unknown
  readonly limits?: unknown
}

export interface PageFacts {
  readonly model: PagedModel
  /** "voice/1", or two models of a cascade. */
  readonly label: string
  readonly list: string
  readonly madeAt: string
  readonly rejected: readonly { readonly line: number; readonly detail: string }[]
}

const style = `:root{color-scheme:light dark;--line:#8884}
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:.5rem 0 1.5rem;font-variant-numeric:tabular-nums;font-size:14px}
th,td{padding:.2rem .7rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
td.n,th.n{text-align:right}.i{opacity:.65;font-size:.85em;white-space:nowrap}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:1rem}
.big{display:flex;flex-wrap:wrap;gap:2rem}.big div{font-size:1.6rem}
.big small{display:block;font-size:.85rem;opacity:.7}
.scroll{overflow-x:auto}code{font-size:.85em;overflow-wrap:anywhere}`

const percent = (value: number): string => `${(value * 100).toFixed(1)} %`
const plain = (value: number): string => value.toFixed(3)

function withInterval(it: Interval | Measured | null, format: (value: number) => string): string {
  if (it === null) return '–'
  const { value, low, high } = it
  if (low === null || high === null) return format(value)
  return `${format(value)} <span class="i">${format(low)} – ${format(high)}</span>`
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (tag: 'th' | 'td', row: readonly string[]): string =>
    row.map((cell, at) => `<${tag}${at === 0 ? '' : ' class="n"'}>${cell}</${tag}>`).join('')
  const lines = rows.map((row) => `<tr>${cells('td', row)}</tr>`).join('\n')
  return `<div class="scroll"><table><thead><tr>${cells('th', head)}</tr></thead><tbody>${lines}</tbody></table></div>`
}

const figureHead = ['', 'human', 'synthetic', 'EER', 'AUC', 'Cllr', 'found at 1 false alarm/h']

function figureRow(name: string, { human, spoof, eer, auc, cllr, detectionAt1PerHour: found }: Figures): string[] {
  return [
    escaped(name),
    `${human}`,
    `${spoof}`,
    withInterval(eer, percent),
    withInterval(auc, plain),
    withInterval(cllr, plain),
    withInterval(found, percent),
  ]
}

const figureTable = (rows: Readonly<Record<string, Figures>>): string =>
  tableOf(
    figureHead,
    Object.entries(rows).map(([name, figures]) => figureRow(name, figures)),
  )

function alarmRow(name: string, { calls, hours, alarms, perHour }: AlarmFigures): string[] {
  return [escaped(name), `${calls}`, hours.toFixed(2), `${alarms}`, withInterval(perHour, (value) => value.toFixed(2))]
}

const alarmHead = ['', 'calls', 'hours of speech', 'false alarms', 'an hour']

function seconds({ netSpeechS, afterS }: TimeFigures): string {
  const of = (value: number | null): string => (value === null ? '–' : `${value.toFixed(1)} s`)
  const call = `<span class="i">after ${of(afterS.median)} of call</span>`
  return `${of(netSpeechS.median)} (${of(netSpeechS.p90)}) ${call}`
}

const engineHead = ['', 'calls', 'right at end', 'wrong', 'inconclusive', 'too little speech']
const timeHead = ['', 'first label, net speech: median (90 %)', 'first right label', 'changes a call', 'turned']

function engineTables(engine: VoiceReport['engine']): string {
  const all: [string, CallFigures][] = [
    ['human', engine.human],
    ['all synthetic', engine.spoof],
  ]
  for (const [name, figures] of Object.entries(engine.bySystem)) all.push([name, figures])
  const ends = all.map(([name, { calls, right, wrong, inconclusive, insufficient }]) => [
    escaped(name),
    `${calls}`,
    ...[right, wrong, inconclusive, insufficient].map((share) => withInterval(share, percent)),
  ])
  const times = all.map(([name, { calls, firstLabel, firstRightLabel, changesPerCall, turned }]) => [
    escaped(name),
    seconds(firstLabel),
    `${seconds(firstRightLabel)} <span class="i">(${firstRightLabel.calls} of ${calls})</span>`,
    changesPerCall.toFixed(2),
    withInterval(turned, percent),
  ])
  return tableOf(engineHead, ends) + tableOf(timeHead, times)
}

/** Whatever a manifest tells: lists of objects as tables, objects as lists of their keys. */
function told(value: unknown): string {
  if (Array.isArray(value)) {
    const rows = value.filter((each): each is Record<string, unknown> => typeof each === 'object' && each !== null)
    if (rows.length !== value.length) return `<ul>${value.map((each) => `<li>${told(each)}</li>`).join('')}</ul>`
    const head = [...new Set(rows.flatMap((row) => Object.keys(row)))]
    return tableOf(
      head.map(escaped),
      rows.map((row) => head.map((key) => (row[key] === undefined ? '' : told(row[key])))),
    )
  }
  if (typeof value === 'object' && value !== null) {
    return `<ul>${Object.entries(value)
      .map(([key, each]) => `<li>${escaped(key)}: ${told(each)}</li>`)
      .join('')}</ul>`
  }
  return escaped(String(value))
}

/** Everything of a manifest that is one value or a few: its key figures. */
function keyTable(model: PagedModel): string {
  const long = ['training', 'metrics', 'calibration', 'limits']
  const rows = Object.entries(model).filter(([key]) => !long.includes(key))
  return tableOf(
    ['key', ''],
    rows.map(([key, value]) => [escaped(key), `<code>${escaped(JSON.stringify(value))}</code>`]),
  ).replaceAll(' class="n"', '')
}

function headline({ overall, falseAlarms }: VoiceReport): string {
  const facts = [
    ['equal error rate, whole calls', withInterval(overall.eer, percent)],
    ['area under the curve', withInterval(overall.auc, plain)],
    ['found at 1 false alarm an hour', withInterval(overall.detectionAt1PerHour, percent)],
    [
      'false alarms an hour of human speech, as shipped',
      withInterval(falseAlarms.perHour, (value) => value.toFixed(2)),
    ],
  ]
  return `<div class="big">${facts.map(([name, value]) => `<div>${value}<small>${name}</small></div>`).join('')}</div>`
}

function falseAlarmTables({ falseAlarms }: VoiceReport): string {
  const { bySpeaker, by, worstGroup, perHourOverSpeakers } = falseAlarms
  const rows: string[][] = [alarmRow('all', falseAlarms)]
  for (const [column, values] of Object.entries(by)) {
    for (const [value, figures] of Object.entries(values)) rows.push(alarmRow(`${column} ${value}`, figures))
  }
  const worst =
    worstGroup === null
      ? ''
      : `<p>The group with most of them, of those with ten minutes of speech: ${escaped(worstGroup.group)},
${worstGroup.timesAverage.toFixed(1)} times the average.</p>`
  const speakers = Object.entries(bySpeaker).map(([name, figures]) => alarmRow(name, figures))
  const over = withInterval(perHourOverSpeakers, (value) => value.toFixed(2))
  return `${tableOf(alarmHead, rows)}<p>With speakers drawn again: ${over} an hour.</p>${worst}
<details><summary>By speaker</summary>${tableOf(alarmHead, speakers)}</details>`
}

export function voicePage(report: VoiceReport, facts: PageFacts): string {
  const { model, label, list, madeAt, rejected } = facts
  const { calls, humanSpeechHours, thresholds, bySpeechLength, by } = report
  const lengths = Object.entries(bySpeechLength).map(
    ([length, figures]) =>
      `<details${length === '4 s' ? ' open' : ''}><summary>${length}</summary>${figureTable(figures)}</details>`,
  )
  const groups = Object.entries(by).map(([column, values]) => `<h3>By ${escaped(column)}</h3>${figureTable(values)}`)
  const counts = `${calls.human} human calls (${humanSpeechHours.toFixed(2)} h of speech), ${calls.spoof} synthetic`
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escaped(label)}</title><style>${style}</style></head><body>
<h1>${escaped(label)}</h1>
<p>${counts}; ${calls.unjudged} without anything to judge; ${rejected.length} rows rejected. List ${escaped(list)},
${escaped(madeAt)}. Thresholds: synthetic ${thresholds.synthetic}, human ${thresholds.human}. Small figures: 95 %
intervals; ranks by drawing speakers and systems again, shares after Wilson, rates as Poisson counts.</p>
${headline(report)}
<div class="plots">${detPlot(report.det)}${reliabilityPlot(report.reliability)}</div>
<h2>Whole calls</h2>${figureTable({ all: report.overall, ...report.bySystem })}${groups.join('')}
<h2>By net speech heard</h2>${lengths.join('')}
<h2>False alarms at the shipped threshold</h2>${falseAlarmTables(report)}
<h2>Labels of the decision engine</h2>
<p>Turned: the label went from human to synthetic or back.</p>${engineTables(report.engine)}
<h1>Data sheet</h1>${keyTable(model)}
<h2>Limits</h2>${told(model.limits ?? [])}
<h2>Training</h2>${told(model.training)}
<h2>Calibration</h2>${told(model.calibration)}
<details><summary>Figures of its training</summary>${told(model.metrics)}</details>
${
  rejected.length === 0
    ? ''
    : `<h2>Rejected rows</h2>${tableOf(
        ['line', 'why'],
        rejected.map(({ line, detail }) => [`${line}`, escaped(detail)]),
      )}`
}
</body></html>
`
}
