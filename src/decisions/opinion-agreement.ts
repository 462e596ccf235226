/**
 * What another detector said of a track, beside our own verdict: on our scale, with whether it agrees. It is told as a
 * reason and never changes label or score: two detectors that hear the same call are not two witnesses. Pure; main
 * thread.
 */
import type { Label, Reason } from './verdict-view.ts'

export interface Opinion {
  /** The vendor's name in the configuration. */
  readonly vendor: string
  /** Probability that the speech is synthetic, 0..1, whatever the vendor's own scale; null: it abstained. */
  readonly score: number | null
  /** Why it abstained: `too_short`, `no_voice`, `not_suited` ... */
  readonly abstained: string | null
  /** Audio that it heard. */
  readonly audioMs: number
  /** ISO 8601 UTC. */
  readonly at: string
  /** From the end of that audio to the answer. */
  readonly tookMs: number
}

/** From here up it says synthetic, from there down human, in between nothing (bands that vendors themselves give). */
const saysSynthetic = 0.7
const saysHuman = 0.3

type Side = 'synthetic' | 'human' | null

export function opinionReasons(label: Label, opinions: readonly Opinion[]): Reason[] {
  const own: Side = label === 'likely_synthetic' ? 'synthetic' : label === 'likely_human' ? 'human' : null
  return opinions.map((opinion) => reasonOf(own, opinion))
}

function reasonOf(own: Side, { vendor, score, abstained, audioMs }: Opinion): Reason {
  const heard = `${(audioMs / 1000).toFixed(1)} s`
  if (score === null) {
    return { code: 'opinion_abstains', text: `${vendor} abstained after ${heard}: ${abstained ?? 'no reason given'}` }
  }
  const side: Side = score >= saysSynthetic ? 'synthetic' : score <= saysHuman ? 'human' : null
  const said = `${vendor} scored ${score.toFixed(2)} on ${heard}`
  if (side === null) return { code: 'opinion_undecided', text: `${said}, which is between human and synthetic` }
  if (own === null) return { code: `opinion_${side}`, text: `${said}, which says ${side}` }
  if (own === side) return { code: 'opinion_agrees', text: `${said}, which agrees` }
  return { code: 'opinion_disagrees', text: `${said}, which says ${side} and disagrees` }
}
