/**
 * A track's last scores as a small moving line between the bands of its thresholds, newest at the right. Purely a
 * picture: the score stands beside it as text. Browser.
 */
import { useEffect, useRef } from 'preact/hooks'
import type { Label } from '../decisions/verdict-view.ts'
import type { Thresholds } from './api-client.ts'
import { colours, onColours } from './colours.ts'
import { toneOf } from './label-badge.tsx'
import { scoresMax } from './live-store.ts'

interface ScoreLineProps {
  readonly scores: readonly (number | null)[]
  readonly label: Label
  readonly thresholds: Thresholds | null
  /** Redrawn when it changes. */
  readonly version: number
}

export function ScoreLine({ scores, label, thresholds, version }: ScoreLineProps) {
  const canvas = useRef<HTMLCanvasElement>(null)
  // biome-ignore lint/correctness/useExhaustiveDependencies: scores is one array that moves on; version says when
  useEffect(() => {
    const redraw = () => {
      if (canvas.current) draw(canvas.current, scores, label, thresholds)
    }
    redraw()
    return onColours(redraw)
  }, [version, label, thresholds])
  // biome-ignore lint/a11y/noAriaHiddenOnFocusable: a canvas is not focusable
  return <canvas ref={canvas} class="score-line" aria-hidden="true" />
}

const insetPx = 3

function draw(
  canvas: HTMLCanvasElement,
  scores: readonly (number | null)[],
  label: Label,
  thresholds: Thresholds | null,
): void {
  const { clientWidth: width, clientHeight: height } = canvas
  const context = canvas.getContext('2d')
  if (!context || width === 0) return
  const ratio = window.devicePixelRatio || 1
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio)
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio)
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
  context.clearRect(0, 0, width, height)
  const palette = colours()
  const y = (score: number) => insetPx + (1 - score) * (height - 2 * insetPx)
  if (thresholds) {
    context.fillStyle = palette['band-synthetic']
    context.fillRect(0, 0, width, y(thresholds.synthetic))
    context.fillStyle = palette['band-human']
    context.fillRect(0, y(thresholds.human), width, height - y(thresholds.human))
  } else {
    context.fillStyle = palette.line
    context.fillRect(0, y(0.5), width, 1)
  }
  const step = (width - 8) / (scoresMax - 1)
  const x = (at: number) => width - 4 - (scores.length - 1 - at) * step
  strokeScores(context, scores, x, y, palette[toneOf(label)])
}

/** Stretches without a score break the line; a lone score is a dot. */
function strokeScores(
  context: CanvasRenderingContext2D,
  scores: readonly (number | null)[],
  x: (at: number) => number,
  y: (score: number) => number,
  colour: string,
): void {
  context.strokeStyle = colour
  context.fillStyle = colour
  context.lineWidth = 1.6
  context.lineJoin = 'round'
  context.lineCap = 'round'
  context.beginPath()
  let pen = false
  for (const [at, score] of scores.entries()) {
    if (score === null) {
      pen = false
      continue
    }
    if (pen) context.lineTo(x(at), y(score))
    else context.moveTo(x(at), y(score))
    if (!pen && (scores[at + 1] ?? null) === null) context.lineTo(x(at) + 0.1, y(score))
    pen = true
  }
  context.stroke()
  const last = scores.findLastIndex((score) => score !== null)
  const score = scores[last]
  if (score === undefined || score === null) return
  context.beginPath()
  context.arc(x(last), y(score), 2.6, 0, 2 * Math.PI)
  context.fill()
}
