/**
 * Values per step of time as stepped lines, with marks at moments that matter. Lines differ by dash as well as by
 * colour. Drag to zoom, double-click to see all; with the keyboard, focus the chart and move by arrow keys. What the
 * cursor is on is also said as text. Charts of one `group` move their cursors together. Browser.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import { type ColourName, colours, onColours } from './colours.ts'
import { stepTime } from './series-steps.ts'

export interface ChartLine {
  readonly name: string
  readonly colour: ColourName
  /** One per step; null: nothing to say. */
  readonly values: readonly (number | null)[]
  /** The area below it is tinted. */
  readonly filled?: boolean
  /** Which dash it has where lines before it are left out; default: its place. */
  readonly dash?: number
}

export interface ChartMark {
  readonly atMs: number
  readonly name: string
}

interface LineChartProps {
  /** When each step begins. */
  readonly stepsMs: readonly number[]
  readonly stepMs: number
  readonly lines: readonly ChartLine[]
  readonly marks?: readonly ChartMark[]
  readonly heightPx: number
  readonly format: (value: number) => string
  /** Steps between the y axis's numbers, where decimal ones would be odd. */
  readonly incrs?: readonly number[]
  /** The y axis reaches at least so far. */
  readonly yMaxLeast: number
  /** For those who cannot see it. */
  readonly summary: string
  readonly group?: string
}

const gutterPx = 52
const markRowPx = 15

export function LineChart(props: LineChartProps) {
  const { stepsMs, stepMs, lines, marks = [], heightPx, summary } = props
  const frame = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const [at, setAt] = useState<number | null>(null)
  const [focused, setFocused] = useState(false)
  const [, recolour] = useState(0)
  const latest = useRef(props)
  latest.current = props
  useEffect(() => onColours(() => recolour((count) => count + 1)), [])
  const palette = colours()
  const shape = `${lines.map(({ name }) => name).join('|')} ${marks.length}`
  // Made anew only when its shape or colours change
  useEffect(() => {
    const element = frame.current
    if (!element) return
    const size = () => ({ width: element.clientWidth, height: heightPx + marks.length * markRowPx })
    const chart = new uPlot({ ...size(), ...options(latest, setAt) }, dataOf(latest.current), element)
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
  }, [shape, palette, heightPx])
  // The data is what has changed
  useEffect(() => plot.current?.setData(dataOf(latest.current)), [stepsMs, lines])

  const move = (event: KeyboardEvent) => {
    const chart = plot.current
    const next = nextIndex(event.key, at, stepsMs.length)
    if (!chart || next === null || stepsMs.length === 0) return
    event.preventDefault()
    const left = chart.valToPos(((stepsMs[next] ?? 0) + stepMs / 2) / 1000, 'x')
    chart.setCursor({ left, top: chart.valToPos(lines[0]?.values[next] ?? 0, 'y') })
    setAt(next)
  }
  return (
    <div class="line-chart">
      {/* biome-ignore-start lint/a11y/noNoninteractiveTabindex: the chart is read by moving along it */}
      <div
        ref={frame}
        class="timeline-frame"
        role="img"
        aria-label={summary}
        tabIndex={0}
        onKeyDown={move}
        onFocus={() => setFocused(true)}
        onBlur={() => setFocused(false)}
      />
      {/* biome-ignore-end lint/a11y/noNoninteractiveTabindex: above */}
      <p class={`readout${lines.length > 2 ? ' long' : ''}`} aria-live={focused ? 'polite' : 'off'}>
        {readout(props, at) ?? 'Point at the lines, or focus them and use the arrow keys.'}
      </p>
    </div>
  )
}

const dashes: readonly (readonly number[])[] = [[], [6, 3], [2, 3], [9, 3, 2, 3], [4, 4]]

/** The names of the lines, each with its own stroke. */
export function ChartLegend({ lines }: { lines: readonly Pick<ChartLine, 'name' | 'colour'>[] }) {
  return (
    <ul class="chart-legend soft small">
      {lines.map(({ name, colour }, at) => (
        <li key={name}>
          <svg width="22" height="8" viewBox="0 0 22 8" aria-hidden="true">
            <line
              x1="1"
              y1="4"
              x2="21"
              y2="4"
              class={`stroke-${colour}`}
              stroke-width="2.5"
              stroke-dasharray={(dashes[at] ?? []).join(' ')}
            />
          </svg>
          {name}
        </li>
      ))}
    </ul>
  )
}

function nextIndex(key: string, at: number | null, count: number): number | null {
  if (key === 'ArrowRight') return Math.min(count - 1, (at ?? -1) + 1)
  if (key === 'ArrowLeft') return Math.max(0, (at ?? count) - 1)
  if (key === 'Home') return 0
  return key === 'End' ? count - 1 : null
}

function readout({ stepsMs, lines, format }: LineChartProps, at: number | null): string | null {
  const fromMs = at === null ? undefined : stepsMs[at]
  if (at === null || fromMs === undefined) return null
  const spanMs = (stepsMs.at(-1) ?? 0) - (stepsMs[0] ?? 0)
  const values = lines.map(({ name, values }) => {
    const value = values[at] ?? null
    return `${name} ${value === null ? '–' : format(value)}`
  })
  // The axis may do with the day alone, the reader of one step may not.
  return `${stepTime(fromMs, Math.min(spanMs, 4 * 86_400_000))}: ${values.join(' · ')}`
}

/** Two points a step, its begin and its end: also a step between two empty ones is a line and not a dot. */
function dataOf({ stepsMs, stepMs, lines }: LineChartProps): uPlot.AlignedData {
  const ends = stepsMs.flatMap((ms) => [ms / 1000, (ms + stepMs * 0.999) / 1000])
  return [ends, ...lines.map(({ values }) => values.flatMap((value) => [value, value]))] as uPlot.AlignedData
}

type Latest = { readonly current: LineChartProps }

function options(latest: Latest, setAt: (at: number | null) => void): Omit<uPlot.Options, 'width' | 'height'> {
  const palette = colours()
  const family = getComputedStyle(document.body).fontFamily
  const axis = { stroke: palette['ink-soft'], font: `11px ${family}`, ticks: { show: false } }
  const { lines, marks = [], group, incrs } = latest.current
  return {
    legend: { show: false },
    padding: [8 + marks.length * markRowPx, 12, 0, 0],
    cursor: {
      points: { size: 7 },
      y: false,
      drag: { x: true, y: false },
      ...(group === undefined ? {} : { sync: { key: group } }),
    },
    scales: {
      x: { time: true },
      y: { range: (_, __, max) => [0, Math.max(latest.current.yMaxLeast, (max || 0) * 1.06)] },
    },
    axes: [
      {
        ...axis,
        size: 28,
        space: 64,
        grid: { show: false },
        values: (plot, seconds) => {
          const spanMs = ((plot.scales['x']?.max ?? 0) - (plot.scales['x']?.min ?? 0)) * 1000
          return seconds.map((second) => stepTime(second * 1000, spanMs))
        },
      },
      {
        ...axis,
        size: gutterPx,
        space: 34,
        ...(incrs === undefined ? {} : { incrs: [...incrs] }),
        grid: { stroke: palette.line, width: 1 },
        values: (_, values) => values.map((value) => latest.current.format(value)),
      },
    ],
    series: [
      {},
      ...lines.map((line, at) => ({
        stroke: palette[line.colour],
        width: line.filled ? 1.5 : 2,
        dash: [...(dashes[line.dash ?? at] ?? [])],
        spanGaps: false,
        points: { show: false },
        ...(line.filled ? { fill: faded(palette[line.colour]) } : {}),
      })),
    ],
    hooks: {
      draw: [(plot) => drawMarks(plot, latest.current.marks ?? [], palette['ink-soft'], family)],
      setCursor: [
        (plot) => {
          const { idx } = plot.cursor
          setAt(idx === null || idx === undefined ? null : Math.floor(idx / 2))
        },
      ],
    },
  }
}

function faded(colour: string): string {
  return colour.replace(/^rgb\((.*)\)$/, 'rgba($1, 0.14)')
}

/** Each mark has a row of its own above the plot for its name, so that marks close together stay readable. */
function drawMarks(plot: uPlot, marks: readonly ChartMark[], colour: string, family: string): void {
  const { ctx, bbox } = plot
  const ratio = window.devicePixelRatio || 1
  ctx.save()
  ctx.font = `${11 * ratio}px ${family}`
  ctx.fillStyle = colour
  ctx.strokeStyle = colour
  ctx.lineWidth = ratio
  ctx.textBaseline = 'middle'
  for (const [row, { atMs, name }] of marks.entries()) {
    const x = plot.valToPos(atMs / 1000, 'x', true)
    if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) continue
    const y = (8 + row * markRowPx) * ratio
    ctx.setLineDash([3 * ratio, 3 * ratio])
    ctx.beginPath()
    ctx.moveTo(x, y)
    ctx.lineTo(x, bbox.top + bbox.height)
    ctx.stroke()
    const fits = x + ctx.measureText(name).width + 8 * ratio < bbox.left + bbox.width
    ctx.textAlign = fits ? 'left' : 'right'
    ctx.fillText(name, x + (fits ? 5 : -5) * ratio, y)
  }
  ctx.restore()
}
