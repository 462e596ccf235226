/** The calls of a case's subject per step of time, with when the case was first seen, opened and last seen. Browser. */
import { useMemo } from 'preact/hooks'
import type { CaseView } from '../decisions/case-view.ts'
import type { SubjectSeries } from '../storage/fraud-reports.ts'
import { countText } from './fraud-wording.ts'
import { ChartLegend, type ChartLine, LineChart } from './line-chart.tsx'
import { evenSteps } from './series-steps.ts'
import { clockTime } from './wording.ts'

const heightPx = 220

export function CaseChart({ it, series }: { it: CaseView; series: SubjectSeries }) {
  const stepMs = series.stepSeconds * 1000
  const firstMs = Date.parse(it.firstSeenAt)
  const openedMs = Date.parse(it.openedAt)
  const lastMs = Date.parse(it.lastSeenAt)
  const steps = useMemo(() => {
    const times = series.points.map(({ at }) => Date.parse(at))
    const fromMs = times.reduce((least, ms) => Math.min(least, ms), firstMs)
    const toMs = times.reduce((most, ms) => Math.max(most, ms + stepMs), lastMs + 1)
    return evenSteps(series.points, stepMs, fromMs, toMs)
  }, [series, firstMs, lastMs, stepMs])
  const lines = useMemo((): ChartLine[] => {
    const values = (name: 'attempts' | 'answered' | 'short' | 'blink') => steps.map(({ point }) => point?.[name] ?? 0)
    const all: ChartLine[] = [
      { name: 'attempts', colour: 'line-1', values: values('attempts'), filled: true },
      { name: 'over before anybody could answer', colour: 'line-5', values: values('blink') },
      { name: 'answered', colour: 'line-4', values: values('answered') },
      { name: 'answered for 3 s or less', colour: 'line-3', values: values('short') },
    ]
    // What never happened would only lie on the axis.
    return all.filter((line) => line.filled || line.values.some((value) => value !== 0))
  }, [steps])
  const stepsMs = useMemo(() => steps.map(({ atMs }) => atMs), [steps])
  const marks = [
    { atMs: firstMs, name: 'first seen' },
    { atMs: openedMs, name: 'opened' },
    { atMs: lastMs, name: 'last seen' },
  ]
  const attempts = series.points.reduce((sum, point) => sum + point.attempts, 0)
  const over = `Calls of the subject over ${clockTime(steps.length * stepMs)}`
  return (
    <>
      <div class="chart-head">
        <h3>Calls of its subject, per {stepText(series.stepSeconds)} of their start</h3>
        <ChartLegend lines={lines} />
      </div>
      {attempts === 0 ? (
        <p class="nothing">No call of the subject is stored yet; they come within seconds.</p>
      ) : (
        <LineChart
          {...{ stepsMs, stepMs, lines, marks, heightPx }}
          format={countText}
          yMaxLeast={4}
          summary={`${over}: ${countText(attempts)} attempts. Arrow keys read it.`}
        />
      )}
    </>
  )
}

/** `minute`, `5 min`, `30 s`. */
export function stepText(seconds: number): string {
  if (seconds % 86_400 === 0) return seconds === 86_400 ? 'day' : `${seconds / 86_400} days`
  if (seconds % 3600 === 0) return seconds === 3600 ? 'hour' : `${seconds / 3600} h`
  if (seconds % 60 === 0) return seconds === 60 ? 'minute' : `${seconds / 60} min`
  return seconds === 1 ? 'second' : `${seconds} s`
}
