/**
 * Which features moved the model's probability of the window that opened a case: each in turn is put to what clean
 * windows of the same kind of key have (medians of the training traffic, in the manifest), the others stay, and the
 * model is asked again. One batch of some thirty rows a case; nothing is computed for windows that open none. Features
 * that tell the same thing cover for one another, so the answer names what alone made a difference. Any thread.
 */
import { feature, featureCount, featureNames } from '../features/call-features.ts'
import type { FlashCallScorer } from './flash-call-rule.ts'
import type { Reason } from './fraud-signal.ts'

export const movedCode = 'moved'
/** Features named. */
const namedMax = 3
/** The least change of the log-odds worth a word. */
const leastMove = 0.2

export async function movedBy(scorer: FlashCallScorer, features: readonly number[]): Promise<Reason[]> {
  const clean = scorer.trained?.reference?.get(features[feature.keyKind] ?? -1)
  if (clean === undefined) return []
  const changed = featureNames.flatMap((name, at) => {
    const fixed = name === 'keyKind' || name === 'windowLevel'
    return fixed || features[at] === clean[at] ? [] : [at]
  })
  const rows = new Float32Array((changed.length + 1) * featureCount)
  for (let row = 0; row <= changed.length; row++) rows.set(features, row * featureCount)
  for (const [row, at] of changed.entries()) rows[(row + 1) * featureCount + at] = clean[at] ?? 0
  const scores = await scorer.scores(rows, changed.length + 1)
  const whole = scores[0] ?? 0
  return changed
    .map((at, row) => ({ at, without: scores[row + 1] ?? 0 }))
    .map((each) => ({ ...each, move: logOdds(whole) - logOdds(each.without) }))
    .filter(({ move }) => move >= leastMove)
    .sort((a, b) => b.move - a.move)
    .slice(0, namedMax)
    .map(({ at, without }) => {
      const [is, usual] = [plain(features[at] ?? 0), plain(clean[at] ?? 0)]
      const said = `the model would say ${chance(without)} instead of ${chance(whole)}`
      return { code: movedCode, text: `${featureNames[at]} is ${is}; with ${usual}, as of clean windows, ${said}` }
    })
}

function logOdds(probability: number): number {
  const bounded = Math.min(1 - 1e-6, Math.max(1e-6, probability))
  return Math.log(bounded / (1 - bounded))
}

/** -1 stands for a feature that is not known. */
function plain(value: number): string {
  return value === -1 ? 'unknown' : String(Number(value.toPrecision(3)))
}

function chance(probability: number): string {
  return `${(probability * 100).toFixed(1)} %`
}
