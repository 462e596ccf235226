/**
 * What one hop of speech features is. A hop is the step at which a track is judged: `hop.ms` of the model's manifest
 * (500 ms), made of frames of `hopSamples` (10 ms). Types, flag bits, and the feature
 * definition of whoever has no manifest. Any thread.
 */
import type { TrackSignals } from './call-signals.ts'

/** Bits of a hop's flags. `gap`: some of the hop was filled or missing. */
export const hopFlag = { silence: 1, music: 2, tone: 4, dtmf: 8, clipped: 16, gap: 32 } as const

/**
 * One bit more, beside `hopFlag`: the model judged the hop but its audio is unlike what it learned from, so it is no
 * evidence. The names that windows show are fixed (CONTRACT); of this one people hear by a reason.
 */
export const unfamiliarBit = 64

export type HopFlagName = keyof typeof hopFlag

/** Names of the bits set, in the table's order. */
export function hopFlagNames(bits: number): HopFlagName[] {
  return (Object.keys(hopFlag) as HopFlagName[]).filter((name) => (bits & hopFlag[name]) !== 0)
}

interface BandParameters {
  readonly scale: 'linear' | 'mel'
  readonly windowSamples: number
  readonly hopSamples: number
  readonly fftSize: 256 | 512
  readonly bands: number
  readonly lowHz: number
  readonly highHz: number
  /** Added to each band's power before the natural logarithm. */
  readonly floor: number
}

/** The manifest's `features`: log band powers, or the first cepstral coefficients of them (LFCC; MFCC when mel). */
export type FeatureDefinition =
  | (BandParameters & { readonly kind: 'log-bands' })
  | (BandParameters & { readonly kind: 'cepstra'; readonly coefficients: number })

export type BandFeatureSpec = FeatureDefinition & { readonly sampleRateHz: 8000 | 16000 }

/**
 * Telephone speech in 60 bands, 32 ms of it every 10 ms: what our voice models see, and what the speech gate listens
 * to where a model takes the audio itself.
 */
export const speechBands = {
  kind: 'log-bands',
  scale: 'linear',
  sampleRateHz: 8000,
  windowSamples: 256,
  hopSamples: 80,
  fftSize: 256,
  bands: 60,
  lowHz: 80,
  highHz: 3880,
  floor: 1e-6,
} as const satisfies BandFeatureSpec

/** Values a frame has. */
export function featureWidth(features: FeatureDefinition): number {
  return features.kind === 'cepstra' ? features.coefficients : features.bands
}

/** How frames gather into hops. */
export interface HopSpec {
  readonly features: BandFeatureSpec
  /** Frames in a hop, e.g. 50 of 10 ms. */
  readonly hopFrames: number
  /** Frames before the hop that the model also sees. */
  readonly contextFrames: number
  /** The hop's samples at this rate stand behind its features; absent: none. */
  readonly audioHz?: 8000 | 16000
}

/** Samples that stand behind the features of a hop. */
export function audioSamplesOf({ features, hopFrames, audioHz }: HopSpec): number {
  return (hopFrames * features.hopSamples * (audioHz ?? 0)) / features.sampleRateHz
}

/** One closed hop. The object and its views are reused: valid during the callback only. */
export interface Hop {
  /**
   * [contextFrames + hopFrames, featureWidth] natural log band powers or their cepstra, oldest frame first; then the
   * samples in [-1, 1), if the spec asks for them.
   */
  readonly features: Float32Array
  /** [hopFrames] 1 where the frame is speech, else 0. */
  readonly speech: Float32Array
  /** Frames of this hop that are speech. */
  speechFrames: number
  /** Samples of this hop (at 8 kHz) that were filled, not heard. */
  filledSamples: number
  /** OR of `hopFlag`. */
  flags: number
  /** DTMF digits confirmed in this hop, in order (`0-9*#A-D`; several when dialled fast), or empty. */
  dtmfDigit: string
  /** What the track tells besides, times from the hop's start; valid during the callback only, as the rest. */
  readonly signals: TrackSignals
}
