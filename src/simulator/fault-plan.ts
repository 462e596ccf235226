/**
 * What goes wrong on one simulated call, drawn up before it begins, from a seed: everything that was seen on real
 * calls (bursts, audio that never came, duplicates, reconnects, a second socket for the same call, calls that end
 * without a word) and what only a broken or hostile peer sends. Pure.
 */
import { between, type Random } from './seeded-random.ts'

/** Times are in frames of 20 ms from the call's start. */
export type Fault =
  /** Nothing is delivered for `frames`, then all of it at once; nothing is lost. */
  | { readonly kind: 'hole'; readonly atFrame: number; readonly frames: number }
  /** Audio that never comes: the timestamp jumps. */
  | { readonly kind: 'loss'; readonly atFrame: number; readonly frames: number }
  | { readonly kind: 'duplicate'; readonly atFrame: number }
  | { readonly kind: 'unknown_event'; readonly atFrame: number }
  | { readonly kind: 'malformed'; readonly atFrame: number; readonly text: string }
  /** A further stream of the same call beside the first, as Twilio sometimes opens. */
  | { readonly kind: 'second_stream'; readonly atFrame: number }
  /** The connection breaks; a new stream of the same call follows after `frames`. */
  | { readonly kind: 'reconnect'; readonly atFrame: number; readonly frames: number }

export type FaultKind = Fault['kind']

/** `stop`: as documented; `close`: a close frame alone; `vanish`: silence on an open connection, no FIN. */
type Ending = 'stop' | 'close' | 'vanish'

export interface FaultPlan {
  /** By `atFrame`, ascending. */
  readonly faults: readonly Fault[]
  readonly ending: Ending
}

export const noFaults: FaultPlan = { faults: [], ending: 'stop' }

/** Delivery holes up to 233 ms were measured on real calls: 10 frames kept back make 220 ms between deliveries. */
const holeFramesMax = 10
/** 1.5 s: with the new handshake still within the server's 2 s of grace. */
const reconnectFramesMax = 75
const lossFramesMax = 40

const kinds: readonly FaultKind[] = [
  'hole',
  'loss',
  'duplicate',
  'unknown_event',
  'malformed',
  'second_stream',
  'reconnect',
]

const malformedTexts = [
  '',
  '[]',
  'null',
  '{"event":"media","sequenceNumber":"7","media":{"track":"inbound","chu',
  '{"event":"media","sequenceNumber":"7","media":{"track":"inbound","chunk":"6","timestamp":"100","payload":"?*!"}}',
  '{"event":"media","sequenceNumber":"-1","media":{"track":"inbound","chunk":"x","timestamp":"-5","payload":"//8="}}',
  '{"event":"media","sequenceNumber":"7","media":{"track":"sideways","chunk":"6","timestamp":"1e99","payload":"//8="}}',
  '{"event":{"event":"media"}}',
]

/** One call in four goes as documented, the others suffer one fault of two to four kinds every few seconds. */
export function faultPlan(random: Random, callFrames: number): FaultPlan {
  if (random() < 0.25) return noFaults
  const ours = shuffled(random, kinds).slice(0, between(random, 2, 4))
  const faults: Fault[] = []
  for (let atFrame = between(random, 25, 100); atFrame < callFrames - 50; atFrame += between(random, 75, 200)) {
    faults.push(faultOf(ours[between(random, 0, ours.length - 1)]!, atFrame, random))
  }
  const dice = random()
  return { faults, ending: dice < 0.6 ? 'stop' : dice < 0.8 ? 'close' : 'vanish' }
}

function faultOf(kind: FaultKind, atFrame: number, random: Random): Fault {
  switch (kind) {
    case 'hole':
      return { kind, atFrame, frames: between(random, 2, holeFramesMax) }
    case 'loss':
      return { kind, atFrame, frames: between(random, 1, lossFramesMax) }
    case 'reconnect':
      return { kind, atFrame, frames: between(random, 10, reconnectFramesMax) }
    case 'malformed':
      return { kind, atFrame, text: malformedTexts[between(random, 0, malformedTexts.length - 1)]! }
    default:
      return { kind, atFrame }
  }
}

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const out = [...items]
  for (let at = out.length - 1; at > 0; at--) {
    const other = between(random, 0, at)
    const moved = out[at]!
    out[at] = out[other]!
    out[other] = moved
  }
  return out
}
