/**
 * Two drawings of a report as SVG: the DET curves (misses against false alarms, both on a normal-deviate scale, where
 * scores with normal errors give straight lines) and told against come probability. Self-contained; colours follow the
 * page's. Pure.
 */
import type { ReliabilityBin } from './detection-measures.ts'

const side = 420
const margin = { left: 56, top: 16, right: 16, bottom: 48 }
const full = side + margin.left + margin.right
const tall = side + margin.top + margin.bottom
const colours = ['#1b6ac9', '#c2410c', '#15803d', '#7c3aed', '#0e7490', '#be185d', '#4d7c0f', '#b45309']

/** Errors shown, from and to. */
const errorMin = 0.002
const errorMax = 0.8
const errorTicks = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8]

/** Normal deviate of a share in (0, 1): Acklam's rational approximation, error below 2e-9 of the deviate. */
export function probit(share: number): number {
  const a = [
    -39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716, 2.506628277459239,
  ]
  const b = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572]
  const c = [
    -0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968,
    2.938163982698783,
  ]
  const d = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416]
  const polynomial = (of: readonly number[], x: number): number => of.reduce((sum, each) => sum * x + each, 0)
  if (share < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(share))
    return polynomial(c, q) / (polynomial(d, q) * q + 1)
  }
  if (share > 1 - 0.02425) return -probit(1 - share)
  const q = share - 0.5
  return (polynomial(a, q * q) * q) / (polynomial(b, q * q) * q * q + 1)
}

const percent = (share: number): string => `${Math.round(share * 1000) / 10}`

function placed(text: string, x: number, y: number, anchor: 'start' | 'middle' | 'end', turn = ''): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}"${turn}>${text}</text>`
}

function frame(title: string, xTitle: string, yTitle: string, inside: readonly string[]): string {
  const middle = margin.top + side / 2
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${full} ${tall}" role="img" aria-label="${title}"`,
    ` font-family="system-ui, sans-serif" font-size="11" fill="currentColor">`,
    `<rect x="${margin.left}" y="${margin.top}" width="${side}" height="${side}" fill="none" stroke="currentColor"/>`,
    ...inside,
    placed(xTitle, margin.left + side / 2, tall - 10, 'middle'),
    placed(yTitle, 14, middle, 'middle', ` transform="rotate(-90 14 ${middle})"`),
    '</svg>',
  ].join('\n')
}

function line(x1: number, y1: number, x2: number, y2: number, style: string): string {
  const at = (value: number): string => value.toFixed(1)
  return `<line x1="${at(x1)}" y1="${at(y1)}" x2="${at(x2)}" y2="${at(y2)}" stroke="currentColor" ${style}/>`
}

type Curves = Readonly<Record<string, readonly { readonly falseAlarm: number; readonly miss: number }[]>>

export function detPlot(curves: Curves): string {
  const low = probit(errorMin)
  const high = probit(errorMax)
  const share = (error: number): number => (probit(Math.min(errorMax, Math.max(errorMin, error))) - low) / (high - low)
  const x = (error: number): number => margin.left + side * share(error)
  const y = (error: number): number => margin.top + side * (1 - share(error))
  const inside = errorTicks.flatMap((tick) => [
    line(x(tick), y(errorMin), x(tick), y(errorMax), 'opacity="0.15"'),
    line(x(errorMin), y(tick), x(errorMax), y(tick), 'opacity="0.15"'),
    placed(percent(tick), x(tick), margin.top + side + 16, 'middle'),
    placed(percent(tick), margin.left - 6, y(tick) + 4, 'end'),
  ])
  inside.push(line(x(errorMin), y(errorMin), x(errorMax), y(errorMax), 'stroke-dasharray="4 4" opacity="0.5"'))
  for (const [at, [name, points]] of Object.entries(curves).entries()) {
    if (points.length === 0) continue
    const colour = colours[at % colours.length]!
    const path = points.map(({ falseAlarm, miss }) => `${x(falseAlarm).toFixed(1)},${y(miss).toFixed(1)}`)
    inside.push(`<polyline points="${path.join(' ')}" fill="none" stroke="${colour}" stroke-width="1.6"/>`)
    const top = margin.top + 16 + at * 16
    inside.push(`<g fill="${colour}">${placed(escaped(name), margin.left + side - 8, top, 'end')}</g>`)
  }
  return frame('DET curves', 'false alarms, % of human calls', 'misses, % of synthetic calls', inside)
}

export function reliabilityPlot(bins: readonly ReliabilityBin[]): string {
  const x = (share: number): number => margin.left + side * share
  const y = (share: number): number => margin.top + side * (1 - share)
  const inside = [0, 0.2, 0.4, 0.6, 0.8, 1].flatMap((tick) => [
    line(x(tick), y(0), x(tick), y(1), 'opacity="0.15"'),
    line(x(0), y(tick), x(1), y(tick), 'opacity="0.15"'),
    placed(`${tick}`, x(tick), margin.top + side + 16, 'middle'),
    placed(`${tick}`, margin.left - 6, y(tick) + 4, 'end'),
  ])
  inside.push(line(x(0), y(0), x(1), y(1), 'stroke-dasharray="4 4" opacity="0.5"'))
  const calls = Math.max(1, ...bins.map((bin) => bin.calls))
  for (const { told, came, calls: of } of bins) {
    const radius = 3 + 9 * Math.sqrt(of / calls)
    const at = `cx="${x(told).toFixed(1)}" cy="${y(came).toFixed(1)}"`
    inside.push(
      `<circle ${at} r="${radius.toFixed(1)}" fill="${colours[0]}" opacity="0.75"><title>${of} calls</title></circle>`,
    )
  }
  return frame('Reliability', 'probability told', 'share that was synthetic (classes weighted alike)', inside)
}

export function escaped(text: string): string {
  const names: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  }
  return text.replace(/[&<>"']/g, (char) => names[char]!)
}
