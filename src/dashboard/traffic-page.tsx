/**
 * Traffic: attempts, ASR, ACD and short calls over time, for all routes and for those picked from the table below, and
 * what is odd about each source's records. Browser.
 */
import { useEffect, useRef } from 'preact/hooks'
import type { SourceQuality } from '../storage/cdr-reports.ts'
import { useQuery } from './address.ts'
import { api } from './api-client.ts'
import { useAsked } from './asked.ts'
import { Feeding } from './feeding.tsx'
import type { RouteTraffic, TrafficAnswer } from './fraud-shapes.ts'
import { RouteTable, routeKey, routeName } from './route-table.tsx'
import { SourceQualityPanels } from './source-quality.tsx'
import { TrafficCharts } from './traffic-charts.tsx'

const hourMs = 3_600_000
const spans = {
  '1h': { name: 'Last hour', ms: hourMs, stepSeconds: 60 },
  '6h': { name: 'Last 6 hours', ms: 6 * hourMs, stepSeconds: 300 },
  '24h': { name: 'Last 24 hours', ms: 24 * hourMs, stepSeconds: 900 },
  '7d': { name: 'Last 7 days', ms: 168 * hourMs, stepSeconds: 3600 },
} as const
type SpanKey = keyof typeof spans

const askAgainMs = 30_000
/** Routes drawn beside all traffic: more lines cannot be told apart. */
export const pickedMax = 4
const noFilter = { span: '1h', source: '', routes: '' }

interface Answers {
  readonly all: TrafficAnswer
  readonly picked: readonly { readonly name: string; readonly answer: TrafficAnswer }[]
}

export function TrafficPage() {
  const [filter, change] = useQuery(noFilter)
  const title = useRef<HTMLHeadingElement>(null)
  useEffect(() => title.current?.focus(), [])
  const span: SpanKey = filter.span in spans ? (filter.span as SpanKey) : '1h'
  const picked = filter.routes === '' ? [] : filter.routes.split('|').slice(0, pickedMax)
  const traffic = useTraffic(span, filter.source, picked)
  const quality = useAsked(
    `quality ${span}`,
    () => api.quality({ from: String(Date.now() - Math.max(spans[span].ms, 24 * hourMs)) }),
    askAgainMs,
  )
  const sources = quality.value?.sources ?? []
  const pick = (route: RouteTraffic, on: boolean) => {
    const key = routeKey(route)
    const rest = picked.filter((each) => each !== key)
    change({ routes: (on ? [...rest, key] : rest).join('|') })
  }
  const isEmpty = traffic.value?.all.points.length === 0
  return (
    <>
      <h1 class="unseen" ref={title} tabIndex={-1}>
        Traffic
      </h1>
      <section aria-labelledby="traffic-title">
        <div class="section-head">
          <h2 id="traffic-title">Traffic</h2>
          <Filters span={span} source={filter.source} sources={sources} onChange={change} />
        </div>
        {traffic.problem === null ? null : (
          <p class="nothing" role="alert">
            Traffic cannot be shown: {traffic.problem}
          </p>
        )}
        {traffic.value === null && traffic.problem === null ? <p class="nothing">Asking for the traffic …</p> : null}
        {isEmpty ? <Empty filtered={filter.source !== '' || span !== '7d'} sources={sources.length} /> : null}
        {traffic.value === null || isEmpty ? null : (
          <>
            <TrafficCharts {...traffic.value} />
            <RouteTable routes={traffic.value.all.routes} picked={picked} onPick={pick} />
          </>
        )}
      </section>
      {quality.problem === null ? null : (
        <p class="nothing" role="alert">
          Data quality cannot be shown: {quality.problem}
        </p>
      )}
      {sources.length === 0 ? null : <SourceQualityPanels sources={sources} />}
    </>
  )
}

interface FiltersProps {
  readonly span: string
  readonly source: string
  readonly sources: readonly SourceQuality[]
  readonly onChange: (change: { span?: string; source?: string; routes?: string }) => void
}

function Filters({ span, source, sources, onChange }: FiltersProps) {
  const names = sources.map((each) => each.source)
  return (
    <search class="filters">
      <select
        aria-label="Span of time"
        value={span}
        onChange={(event) => onChange({ span: event.currentTarget.value })}
      >
        {Object.entries(spans).map(([key, { name }]) => (
          <option key={key} value={key}>
            {name}
          </option>
        ))}
      </select>
      <select
        aria-label="Source"
        value={source}
        onChange={(event) => onChange({ source: event.currentTarget.value, routes: '' })}
      >
        <option value="">All sources</option>
        {withChosen(names, source).map((name) => (
          <option key={name}>{name}</option>
        ))}
      </select>
    </search>
  )
}

/** Who has records but none in the span needs a longer span; who has none needs to push some. */
function Empty({ filtered, sources }: { filtered: boolean; sources: number }) {
  if (sources > 0 && filtered) return <p class="nothing">No call began in this span. Choose a longer one above.</p>
  return <Feeding what="No call records have come in this span." />
}

function withChosen(sources: readonly string[], chosen: string): readonly string[] {
  return chosen === '' || sources.includes(chosen) ? sources : [...sources, chosen]
}

function useTraffic(span: SpanKey, source: string, picked: readonly string[]) {
  const { ms, stepSeconds } = spans[span]
  const ask = async (): Promise<Answers> => {
    const stepMs = stepSeconds * 1000
    const toMs = Math.ceil(Date.now() / stepMs) * stepMs
    const query = { from: String(toMs - ms), to: String(toMs), step: String(stepSeconds), source }
    const [all, ...answers] = await Promise.all([
      api.traffic(query),
      ...picked.map((key) => {
        const [ingress = '', egress = ''] = key.split('>')
        return api.traffic({ ...query, ingress, egress })
      }),
    ])
    const named = answers.map((answer, at) => ({ name: routeName(picked[at] ?? ''), answer }))
    return { all, picked: named }
  }
  return useAsked(`${span} ${source} ${picked.join('|')}`, ask, askAgainMs)
}
