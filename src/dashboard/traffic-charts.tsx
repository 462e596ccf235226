/** Four figures of traffic over time, all routes and the picked ones as lines; their cursors move together. Browser. */
import { useMemo } from 'preact/hooks'
import type { Traffic } from '../storage/cdr-reports.ts'
import { stepText } from './case-chart.tsx'
import type { TrafficAnswer } from './fraud-shapes.ts'
import { countText } from './fraud-wording.ts'
import { ChartLegend, type ChartLine, LineChart } from './line-chart.tsx'
import { evenSteps } from './series-steps.ts'
import { clockTime, percent } from './wording.ts'

interface Chart {
  readonly name: string
  readonly meaning: string
  readonly of: (figures: Traffic) => number | null
  /** What a step without calls is. */
  readonly nothing: number | null
  readonly format: (value: number) => string
  readonly yMaxLeast: number
  /** All traffic would press the picked routes onto the axis. */
  readonly pickedAlone?: boolean
  readonly incrs?: readonly number[]
}

const charts: readonly Chart[] = [
  {
    name: 'Attempts',
    meaning: 'calls that were tried',
    of: ({ attempts }) => attempts,
    nothing: 0,
    format: countText,
    yMaxLeast: 4,
    pickedAlone: true,
  },
  {
    name: 'ASR',
    meaning: 'answered of attempts',
    of: ({ asr }) => asr,
    nothing: null,
    format: percent,
    yMaxLeast: 1,
  },
  {
    name: 'ACD',
    meaning: 'mean talk of answered calls',
    of: ({ acdMs }) => acdMs,
    nothing: null,
    format: talkText,
    yMaxLeast: 10_000,
    incrs: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14_400].map((s) => s * 1000),
  },
  {
    name: 'Short calls',
    meaning: 'of answered calls, over within 3 s',
    of: ({ shortShare }) => shortShare,
    nothing: null,
    format: percent,
    yMaxLeast: 0.2,
  },
]

/** `0 s`, `45 s`, `1:32`. */
function talkText(ms: number): string {
  return ms < 60_000 ? `${Math.round(ms / 1000)} s` : clockTime(Math.round(ms / 1000) * 1000)
}

const colours = ['line-1', 'line-2', 'line-3', 'line-4', 'line-5'] as const

interface TrafficChartsProps {
  readonly all: TrafficAnswer
  readonly picked: readonly { readonly name: string; readonly answer: TrafficAnswer }[]
}

export function TrafficCharts({ all, picked }: TrafficChartsProps) {
  const drawn = useMemo(() => {
    const stepMs = all.stepSeconds * 1000
    const steps = (answer: TrafficAnswer) => evenSteps(answer.points, stepMs, Date.parse(all.from), Date.parse(all.to))
    const lines = [{ name: 'all routes', answer: all }, ...picked].map(({ name, answer }) => ({
      name,
      steps: steps(answer),
    }))
    return { stepMs, stepsMs: steps(all).map(({ atMs }) => atMs), lines }
  }, [all, picked])
  const legend = drawn.lines.map(({ name }, at) => ({ name, colour: colours[at] ?? 'line-5' }))
  return (
    <>
      <div class="chart-head charts-legend">
        <p class="soft small">
          per {stepText(all.stepSeconds)} of their start; a call is told when it ends, so the newest steps lack long
          ones
        </p>
        <ChartLegend lines={legend} />
      </div>
      <div class="charts">
        {charts.map((chart) => (
          <TrafficChart key={chart.name} chart={chart} drawn={drawn} />
        ))}
      </div>
    </>
  )
}

interface Drawn {
  readonly stepMs: number
  readonly stepsMs: readonly number[]
  readonly lines: readonly { readonly name: string; readonly steps: ReturnType<typeof evenSteps<TrafficPoint>> }[]
}

type TrafficPoint = TrafficAnswer['points'][number]

function TrafficChart({ chart, drawn }: { chart: Chart; drawn: Drawn }) {
  const isAlone = chart.pickedAlone === true && drawn.lines.length > 1
  const lines = useMemo((): ChartLine[] => {
    const all = drawn.lines.map(({ name, steps }, at) => ({
      name,
      colour: colours[at] ?? 'line-5',
      dash: at,
      filled: at === 0,
      values: steps.map(({ point }) => (point === null ? chart.nothing : chart.of(point))),
    }))
    return isAlone ? all.slice(1) : all
  }, [drawn, chart, isAlone])
  const { stepMs, stepsMs } = drawn
  return (
    <section class="panel chart-panel" aria-label={chart.name} data-chart={chart.name}>
      <div class="chart-head">
        <h3>{chart.name}</h3>
        <p class="soft small">{isAlone ? `${chart.meaning}, ticked routes alone` : chart.meaning}</p>
      </div>
      <LineChart
        {...{ stepMs, stepsMs, lines }}
        heightPx={170}
        format={chart.format}
        yMaxLeast={chart.yMaxLeast}
        {...(chart.incrs === undefined ? {} : { incrs: chart.incrs })}
        summary={`${chart.name}, ${chart.meaning}, over time. Arrow keys read it.`}
        group="traffic"
      />
    </section>
  )
}
