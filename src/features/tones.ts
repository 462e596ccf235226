/**
 * Stationary single and dual tones: dial tone (350 + 440 Hz), busy (480 + 620), 425 Hz, 1000 Hz beeps, and DTMF while
 * it is held. A frame is tonal when nearly all its power lies in one or two spectral peaks whose frequencies and
 * level do not move for 120 ms. Voices also put most power into one or two harmonics, but these glide.
 * Known gap: two tones under 90 Hz apart (ringing, 440 + 480 Hz) are missed in part when noise is less than 40 dB under
 * them.
 */
import { frameStat, statsPerFrame } from '../audio/frame-stats.ts'

/**
 * Frames that must agree: 120 ms. Shorter held tones (DTMF) are found by dtmf.ts; voices hold a pitch that long
 * rarely.
 */
const runFrames = 12

/** Beats of 10, 20, ... 50 Hz repeat after 100 ms, and have to do so this long. */
const beatFrames = 10
const beatRunFrames = 15

/** Share of power in the two peaks: 0.9 admits a tone 10 dB over flat noise; steady voices mostly stay under it. */
const shareMin = 0.9

/** A second peak with less than this is noise and may be anywhere. */
const secondShareMin = 0.05

/**
 * In a run, peaks may stand this part of a bin (31 Hz) from where they began: 4 Hz. Pitch glides by 3 to 30 Hz in 10
 * ms.
 */
const driftBinsMax = 0.12

/** And the power this far (natural log) from that of the run's first frame: 1.3 dB. */
const driftLevelMax = 0.3

/** Marks `tonal[frame]` = 1 and returns how many were marked. */
export function markTones(stats: Float32Array, tonal: Uint8Array): number {
  tonal.fill(0)
  let marked = 0
  let start = 0
  for (let frame = 0; frame <= tonal.length; frame += 1) {
    if (frame < tonal.length && isPeaky(stats, frame) && isSame(stats, start, frame)) continue
    if (frame - start >= runFrames) {
      tonal.fill(1, start, frame)
      marked += frame - start
    }
    // The frame that broke the run may begin the next one, when it is a tone at all.
    start = frame < tonal.length && isPeaky(stats, frame) ? frame : frame + 1
  }
  return marked + markBeats(stats, tonal)
}

/** Tones too near to be told apart (440 + 480 Hz): the sum swells, and is the same again `beatFrames` later. */
function markBeats(stats: Float32Array, tonal: Uint8Array): number {
  let marked = 0
  let run = 0
  for (let frame = beatFrames; frame < tonal.length; frame += 1) {
    const repeats = isPeaky(stats, frame) && isSame(stats, frame - beatFrames, frame)
    run = repeats ? run + 1 : 0
    if (run < beatRunFrames) continue
    for (let at = frame - run - beatFrames + 1; at <= frame; at += 1) {
      if (tonal[at] === 0) marked += 1
      tonal[at] = 1
    }
  }
  return marked
}

function isPeaky(stats: Float32Array, frame: number): boolean {
  const row = frame * statsPerFrame
  return stats[row + frameStat.peakShare]! + stats[row + frameStat.secondShare]! >= shareMin
}

/** True when `frame` has the peaks and the power of `start`, or is it. */
function isSame(stats: Float32Array, start: number, frame: number): boolean {
  if (frame <= start) return true
  const then = start * statsPerFrame
  const now = frame * statsPerFrame
  if (Math.abs(stats[now + frameStat.power]! - stats[then + frameStat.power]!) > driftLevelMax) return false
  const single = stats[now + frameStat.secondShare]! < secondShareMin
  const a = stats[now + frameStat.peakBin]!
  const b = stats[now + frameStat.secondBin]!
  const aThen = stats[then + frameStat.peakBin]!
  const bThen = stats[then + frameStat.secondBin]!
  const straight = Math.abs(a - aThen) < driftBinsMax && (single || Math.abs(b - bThen) < driftBinsMax)
  // Two tones of equal power may change places from frame to frame.
  const crossed = Math.abs(a - bThen) < driftBinsMax && Math.abs(b - aThen) < driftBinsMax
  return straight || crossed
}
