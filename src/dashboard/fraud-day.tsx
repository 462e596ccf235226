/**
 * The last 24 hours at a glance: calls that came under a case and what they would have got, and cases by kind.
 * Browser.
 */
import { useMemo } from 'preact/hooks'
import { api } from './api-client.ts'
import { useAsked } from './asked.ts'
import { stepText } from './case-chart.tsx'
import type { FraudAnswer } from './fraud-shapes.ts'
import { countText, kindName } from './fraud-wording.ts'
import { ChartLegend, type ChartLine, LineChart } from './line-chart.tsx'
import { evenSteps } from './series-steps.ts'

const spanMs = 86_400_000
const stepMs = 1_800_000
const askAgainMs = 60_000
const heightPx = 180

export function FraudDay() {
  const { value } = useAsked(
    'fraud day',
    () => {
      const toMs = Math.ceil(Date.now() / stepMs) * stepMs
      return api.fraud({ from: String(toMs - spanMs), to: String(toMs), step: String(stepMs / 1000) })
    },
    askAgainMs,
  )
  if (value === null || value.kinds.length === 0) return null
  return (
    <section aria-labelledby="day-title">
      <div class="section-head">
        <h2 id="day-title">Last 24 hours</h2>
      </div>
      <div class="two-panels">
        <DayChart report={value} />
        <DayKinds kinds={value.kinds} />
      </div>
    </section>
  )
}

function DayChart({ report }: { report: FraudAnswer }) {
  const steps = useMemo(
    () => evenSteps(report.points, report.stepSeconds * 1000, Date.parse(report.from), Date.parse(report.to)),
    [report],
  )
  const stepsMs = useMemo(() => steps.map(({ atMs }) => atMs), [steps])
  const lines = useMemo((): ChartLine[] => {
    const calls = (...actions: string[]) =>
      steps.map(({ point }) => actions.reduce((sum, action) => sum + (point?.actions[action] ?? 0), 0))
    return [
      {
        name: 'calls under a case',
        colour: 'line-1',
        values: steps.map(({ point }) => point?.calls ?? 0),
        filled: true,
      },
      { name: 'to be labelled', colour: 'line-4', values: calls('label') },
      { name: 'to be challenged or diverted', colour: 'line-3', values: calls('challenge', 'divert') },
      { name: 'to be blocked', colour: 'line-5', values: calls('block') },
    ]
  }, [steps])
  const total = report.points.reduce((sum, { calls }) => sum + calls, 0)
  return (
    <section class="panel chart-panel" aria-label="Calls under a case">
      <div class="chart-head">
        <h3>Calls under a case, per {stepText(report.stepSeconds)}</h3>
      </div>
      <ChartLegend lines={lines} />
      <LineChart
        {...{ stepsMs, lines, heightPx }}
        stepMs={report.stepSeconds * 1000}
        format={countText}
        yMaxLeast={4}
        summary={`Calls under a case over 24 hours: ${countText(total)}. Arrow keys read it.`}
      />
    </section>
  )
}

function DayKinds({ kinds }: { kinds: FraudAnswer['kinds'] }) {
  return (
    <section class="panel chart-panel" aria-label="Cases by kind">
      <h3>Cases by kind</h3>
      <table class="records day-kinds">
        <caption class="unseen">Cases opened in the last 24 hours, by kind</caption>
        <thead>
          <tr>
            {['Kind', 'Opened', 'Live', 'Confirmed', 'Dismissed', 'Calls'].map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {kinds.map(({ kind, opened, live, confirmed, dismissed, calls }) => (
            <tr key={kind}>
              <th scope="row">{kindName(kind)}</th>
              <td data-name="Opened">{countText(opened)}</td>
              <td data-name="Live">{countText(live)}</td>
              <td data-name="Confirmed">{countText(confirmed)}</td>
              <td data-name="Dismissed">{countText(dismissed)}</td>
              <td data-name="Calls">{countText(calls)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}
