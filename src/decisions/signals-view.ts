/**
 * Signals of a whole track as people and programs see them: beside the verdict, never part of its score, because on
 * engines that were not heard in training none of them made it better (docs/voice-signals.md). Pure; main thread.
 */
import type { TrackSignals } from '../features/call-signals.ts'
import type { ResponseFigures } from './speech-turns.ts'
import type { Reason } from './verdict-view.ts'

/** Null where nothing was heard that could tell it. */
export interface SignalsView extends ResponseFigures {
  /** Phrases of 1 s and more that were compared with the last 16. */
  readonly comparedPhrases: number
  /** Of these, the ones that are the sound of an earlier one again. */
  readonly repeatedPhrases: number
  /** The largest likeness of two phrases, 0..1; from 0.5 on they are the same sound. */
  readonly phraseLikenessMax: number
  readonly pauses: number
  /** Mean level of the pauses, dB relative to full scale. */
  readonly pauseFloorDbfs: number | null
  /** Standard deviation of that level from pause to pause, dB. */
  readonly pauseFloorSpreadDb: number | null
  /** Its largest step from one pause to the next, dB. */
  readonly pauseFloorJumpDb: number | null
  /** Share of the audio without speech that is digital silence, 0..1. */
  readonly digitalSilenceShare: number | null
}

export function signalsView(signals: Readonly<TrackSignals>, responses: ResponseFigures): SignalsView {
  return {
    ...responses,
    comparedPhrases: signals.comparedPhrases,
    repeatedPhrases: signals.repeatedPhrases,
    phraseLikenessMax: rounded(signals.phraseLikenessMax, 100) ?? 0,
    pauses: signals.pauses,
    pauseFloorDbfs: rounded(signals.pauseFloorDbfs, 10),
    pauseFloorSpreadDb: rounded(signals.pauseFloorSpreadDb, 10),
    pauseFloorJumpDb: rounded(signals.pauseFloorJumpDb, 10),
    digitalSilenceShare: rounded(signals.digitalSilenceShare, 1000),
  }
}

/** A phrase that is the same sound again is worth a word; the other signals are figures. */
export function signalReasons(signals: Readonly<TrackSignals> | undefined): Reason[] {
  if (signals === undefined || signals.repeatedPhrases === 0) return []
  const { repeatedPhrases, comparedPhrases } = signals
  const are = repeatedPhrases === 1 ? 'is' : 'are'
  const text = `${repeatedPhrases} of ${comparedPhrases} phrases ${are} the very sound of an earlier one: played again`
  return [{ code: 'repeated_phrase', text }]
}

function rounded(value: number, steps: number): number | null {
  return Number.isNaN(value) ? null : Math.round(value * steps) / steps
}
