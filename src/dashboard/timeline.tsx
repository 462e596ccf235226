/**
 * A track's score over the whole call, with what was heard beside speech shaded. Drag to zoom, double-click to see all;
 * with the keyboard, focus the chart and move by arrow keys. What the cursor is on is also said as text. Browser.
 */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import type { GapView, WindowView } from '../decisions/verdict-view.ts'
import type { Thresholds } from './api-client.ts'
import { colours, onColours } from './colours.ts'
import { bandGradient, drawBackdrop, drawLaneNames, type Lanes, yMin } from './timeline-drawing.ts'
import { flagStretches, type TimelinePoint, timelinePoints } from './timeline-stretches.ts'
import { clockTime, flagWords, scoreText } from './wording.ts'

interface TimelineProps {
  readonly windows: readonly WindowView[]
  readonly gaps: readonly GapView[]
  readonly thresholds: Thresholds | null
  /** For those who cannot see it. */
  readonly summary: string
}

const gutterPx = 64
const scoreHeightPx = 190
const laneHeightPx = 19

export function Timeline({ windows, gaps, thresholds, summary }: TimelineProps) {
  const frame = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const [at, setAt] = useState<number | null>(null)
  const [, recolour] = useState(0)
  const points = useMemo(() => timelinePoints(windows), [windows])
  const lanes = useMemo(() => flagStretches(windows, gaps), [windows, gaps])
  const laneNames = [...lanes.keys()].join(' ')
  const latest = useRef({ lanes, thresholds })
  latest.current = { lanes, thresholds }

  useEffect(() => onColours(() => recolour((count) => count + 1)), [])
  const palette = colours()
  // biome-ignore lint/correctness/useExhaustiveDependencies: made anew only when its shape or colours change
  useEffect(() => {
    const element = frame.current
    if (!element) return
    const size = () => ({ width: element.clientWidth, height: scoreHeightPx + lanes.size * laneHeightPx + 34 })
    const chart = new uPlot({ ...size(), ...options(latest, setAt) }, dataOf(points), element)
    plot.current = chart
    const observer = new ResizeObserver(() => {
      if (element.clientWidth !== chart.width) chart.setSize(size())
    })
    observer.observe(element)
    return () => {
      observer.disconnect()
      chart.destroy()
      plot.current = null
    }
  }, [laneNames, palette, thresholds])
  useEffect(() => plot.current?.setData(dataOf(points)), [points])

  const move = (event: KeyboardEvent) => {
    const chart = plot.current
    const next = nextIndex(event.key, at, points.length)
    const point = next === null ? undefined : points[next]
    if (!chart || !point) return
    event.preventDefault()
    const left = chart.valToPos(point.atMs / 1000, 'x')
    chart.setCursor({ left, top: chart.valToPos(point.window?.score ?? 0.5, 'y') })
    setAt(next)
  }
  return (
    <div class="timeline">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the chart is read by moving along it */}
      <div ref={frame} class="timeline-frame" role="img" aria-label={summary} tabIndex={0} onKeyDown={move} />
      <p class="readout" aria-live="polite">
        {readout(at === null ? undefined : points[at]) ?? 'Point at the line, or focus it and use the arrow keys.'}
      </p>
    </div>
  )
}

function nextIndex(key: string, at: number | null, count: number): number | null {
  if (key === 'ArrowRight') return Math.min(count - 1, (at ?? -1) + 1)
  if (key === 'ArrowLeft') return Math.max(0, (at ?? count) - 1)
  if (key === 'Home') return 0
  return key === 'End' ? count - 1 : null
}

function readout(point: TimelinePoint | undefined): string | null {
  if (point === undefined) return null
  const { window } = point
  if (window === null) return `from ${clockTime(point.atMs)}: audio never came`
  const from = `${clockTime(window.startMs)}–${clockTime(window.endMs)}`
  const flags = window.flags.map((flag) => flagWords[flag] ?? flag).join(', ')
  const score = window.score === null ? 'not scored' : `score ${scoreText(window.score)}`
  return [`window ${from}`, score, flags].filter((text) => text !== '').join(' · ')
}

function dataOf(points: readonly TimelinePoint[]): uPlot.AlignedData {
  return [points.map((point) => point.atMs / 1000), points.map((point) => point.window?.score ?? null)]
}

type Latest = { readonly current: { readonly lanes: Lanes; readonly thresholds: Thresholds | null } }

function options(latest: Latest, setAt: (at: number | null) => void): Omit<uPlot.Options, 'width' | 'height'> {
  const palette = colours()
  const ratio = window.devicePixelRatio || 1
  const family = getComputedStyle(document.body).fontFamily
  const axis = { stroke: palette['ink-soft'], font: `11px ${family}`, ticks: { show: false } }
  return {
    legend: { show: false },
    padding: [8, 12, 0, 0],
    cursor: { points: { size: 8 }, y: false, drag: { x: true, y: false } },
    // The call begins at 0, not at the end of its first window; a zoomed range is kept as it is.
    scales: {
      x: { time: false, range: (plot, min, max) => [min <= (plot.data[0][0] ?? 0) ? 0 : min, max] },
      y: { range: () => [yMin(latest.current.lanes), 1.02] },
    },
    axes: [
      {
        ...axis,
        size: 30,
        grid: { show: false },
        values: (_, seconds) => seconds.map((value) => clockTime(value * 1000)),
        incrs: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600],
      },
      {
        ...axis,
        size: gutterPx,
        grid: { stroke: palette.line, width: 1 },
        splits: [0, 0.25, 0.5, 0.75, 1],
        values: (_, scores) => scores.map((value) => value.toFixed(2)),
      },
    ],
    series: [
      {},
      {
        stroke: (plot) => bandGradient(plot, { thresholds: latest.current.thresholds, palette }),
        width: 2,
        spanGaps: false,
        points: { show: false },
      },
    ],
    hooks: {
      drawClear: [(plot) => drawBackdrop(plot, { ...latest.current, palette })],
      draw: [(plot) => drawLaneNames(plot, latest.current.lanes, palette['ink-soft'], `${11 * ratio}px ${family}`)],
      setCursor: [(plot) => setAt(plot.cursor.idx ?? null)],
    },
  }
}
