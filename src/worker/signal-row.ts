/** A track's signals as a stretch of floats in the message from a voice worker to the main thread. Both sides. */
import type { TrackSignals } from '../features/call-signals.ts'

export const signalsStride = 10

/** Absent signals: the count of phrases is NaN, which it never is else. */
export function writeSignals(rows: Float64Array, at: number, signals: Readonly<TrackSignals> | undefined): void {
  if (signals === undefined) {
    rows.fill(Number.NaN, at, at + signalsStride)
    return
  }
  rows[at] = signals.comparedPhrases
  rows[at + 1] = signals.repeatedPhrases
  rows[at + 2] = signals.phraseLikenessMax
  rows[at + 3] = signals.phraseStartMs
  rows[at + 4] = signals.phraseEndMs
  rows[at + 5] = signals.pauses
  rows[at + 6] = signals.pauseFloorDbfs
  rows[at + 7] = signals.pauseFloorSpreadDb
  rows[at + 8] = signals.pauseFloorJumpDb
  rows[at + 9] = signals.digitalSilenceShare
}

export function readSignals(rows: Float64Array, at: number): TrackSignals | undefined {
  const comparedPhrases = rows[at]!
  if (Number.isNaN(comparedPhrases)) return undefined
  return {
    comparedPhrases,
    repeatedPhrases: rows[at + 1]!,
    phraseLikenessMax: rows[at + 2]!,
    phraseStartMs: rows[at + 3]!,
    phraseEndMs: rows[at + 4]!,
    pauses: rows[at + 5]!,
    pauseFloorDbfs: rows[at + 6]!,
    pauseFloorSpreadDb: rows[at + 7]!,
    pauseFloorJumpDb: rows[at + 8]!,
    digitalSilenceShare: rows[at + 9]!,
  }
}
