/**
 * Draws what lies behind a timeline's line: the bands of the thresholds, the flagged stretches over the whole height,
 * and one lane per flag below the score. Scores live in 0..1 of the y axis, lanes in its negative part, so zooming
 * moves all.
 *
 *    1.0 |▒▒▒▒▒▒ likely synthetic ▒▒▒▒▒▒|
 *        |        ╱╲___                 |
 *    0.0 |▒▒▒▒▒▒ likely human ▒▒▒▒▒▒▒▒▒▒|
 *  music |     ▬▬▬▬                     |   lane 0
 *    gap |               ▬              |   lane 1
 *
 * Browser.
 */
import type uPlot from 'uplot'
import type { Thresholds } from './api-client.ts'
import type { ColourName } from './colours.ts'
import type { LaneFlag, Stretch } from './timeline-stretches.ts'

const laneStep = 0.1
/** Room between the score's zero and the first lane. */
const laneTop = 0.05

export type Lanes = ReadonlyMap<LaneFlag, readonly Stretch[]>

export function yMin(lanes: Lanes): number {
  return lanes.size === 0 ? -0.02 : -(laneTop + lanes.size * laneStep)
}

interface Backdrop {
  readonly lanes: Lanes
  readonly thresholds: Thresholds | null
  readonly palette: Readonly<Record<ColourName, string>>
}

export function drawBackdrop(plot: uPlot, { lanes, thresholds, palette }: Backdrop): void {
  const { ctx, bbox } = plot
  const y = (value: number) => plot.valToPos(value, 'y', true)
  const x = (ms: number) => clamp(plot.valToPos(ms / 1000, 'x', true), bbox.left, bbox.left + bbox.width)
  ctx.save()
  if (thresholds) {
    fill(ctx, palette['band-synthetic'], bbox.left, y(1), bbox.width, y(thresholds.synthetic) - y(1))
    fill(ctx, palette['band-human'], bbox.left, y(thresholds.human), bbox.width, y(0) - y(thresholds.human))
  }
  let lane = 0
  for (const [flag, stretches] of lanes) {
    const colour = palette[`flag-${flag}`]
    const top = y(-(laneTop + lane * laneStep + 0.02))
    const height = y(-(laneTop + (lane + 1) * laneStep - 0.02)) - top
    ctx.fillStyle = palette.line
    ctx.fillRect(bbox.left, top + height / 2, bbox.width, 1)
    for (const stretch of stretches) {
      const left = x(stretch.startMs)
      const width = Math.max(x(stretch.endMs) - left, 2)
      if (stretch.endMs / 1000 < (plot.scales['x']?.min ?? 0)) continue
      ctx.globalAlpha = 0.13
      fill(ctx, colour, left, y(1), width, y(0) - y(1))
      ctx.globalAlpha = 1
      fill(ctx, colour, left, top, width, height)
    }
    lane += 1
  }
  ctx.restore()
}

/** Names of the lanes in the gutter of the y axis. */
export function drawLaneNames(plot: uPlot, lanes: Lanes, colour: string, font: string): void {
  const { ctx, bbox } = plot
  const ratio = window.devicePixelRatio || 1
  ctx.save()
  ctx.font = font
  ctx.fillStyle = colour
  ctx.textAlign = 'right'
  ctx.textBaseline = 'middle'
  let lane = 0
  for (const flag of lanes.keys()) {
    ctx.fillText(flag, bbox.left - 8 * ratio, plot.valToPos(-(laneTop + (lane + 0.5) * laneStep), 'y', true))
    lane += 1
  }
  ctx.restore()
}

/** The line takes the colour of the band it is in. */
export function bandGradient(plot: uPlot, { thresholds, palette }: Omit<Backdrop, 'lanes'>): CanvasGradient | string {
  if (!thresholds) return palette.accent
  const top = plot.valToPos(1, 'y', true)
  const bottom = plot.valToPos(0, 'y', true)
  if (!Number.isFinite(top) || !Number.isFinite(bottom)) return palette.accent
  const gradient = plot.ctx.createLinearGradient(0, top, 0, bottom)
  for (const [from, to, name] of [
    [0, 1 - thresholds.synthetic, 'synthetic'],
    [1 - thresholds.synthetic, 1 - thresholds.human, 'inconclusive'],
    [1 - thresholds.human, 1, 'human'],
  ] as const) {
    gradient.addColorStop(clamp(from, 0, 1), palette[name])
    gradient.addColorStop(clamp(to, 0, 1), palette[name])
  }
  return gradient
}

function fill(
  context: CanvasRenderingContext2D,
  colour: string,
  left: number,
  top: number,
  width: number,
  height: number,
): void {
  context.fillStyle = colour
  context.fillRect(left, top, width, height)
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value))
}
