/**
 * Stationary single and dual tones: dial tone (350 + 440 Hz), busy (480 + 620), 425 Hz, 1000 Hz beeps, and DTMF while it
 * is held. A frame is tonal when nearly all its power lies in one or two spectral peaks whose frequencies and level do not
 * move for 100 ms. Voices also put most power into one or two harmonics, but these glide.
 */
import { frameStat, statsPerFrame } from '../audio/frame-stats.ts'

/** Frames that must agree: 8 of 10 ms, whose windows span about 100 ms. A DTMF digit of 70 ms or a beep still has them. */
const runFrames = 8

/** Share of power in the two peaks: 0.9 admits a tone 10 dB over flat noise; steady voices mostly stay under it. */
const shareMin = 0.9

/** Peaks may move by this part of a bin (31 Hz) between neighbours: 2 Hz. Pitch glides by 3 to 30 Hz in 10 ms. */
const driftBinsMax = 0.07

/** And the level by this much (natural log of power) between neighbours: 0.9 dB. */
const driftLevelMax = 0.2

/** Marks `tonal[frame]` = 1 and returns how many were marked. */
export function markTones(stats: Float32Array, tonal: Uint8Array): number {
  tonal.fill(0)
  let run = 0
  let marked = 0
  for (let frame = 0; frame < tonal.length; frame += 1) {
    run = isSteady(stats, frame) ? run + 1 : 0
    if (run < runFrames) continue
    // The run reaches back to its first frame, which is the one before the first that agreed with its neighbour.
    for (let back = frame; back >= 0 && back >= frame - run && tonal[back] === 0; back -= 1) {
      tonal[back] = 1
      marked += 1
    }
  }
  return marked
}

/** True when this frame is peaky and continues the one before. */
function isSteady(stats: Float32Array, frame: number): boolean {
  if (frame === 0) return false
  const row = frame * statsPerFrame
  const before = row - statsPerFrame
  const first = stats[row + frameStat.peakShare]!
  const second = stats[row + frameStat.secondShare]!
  if (first + second < shareMin) return false
  if (Math.abs(stats[row + frameStat.power]! - stats[before + frameStat.power]!) > driftLevelMax) return false
  // Two tones of equal power may change places from frame to frame.
  const single = second < 0.05
  const a = stats[row + frameStat.peakBin]!
  const b = stats[row + frameStat.secondBin]!
  const aBefore = stats[before + frameStat.peakBin]!
  const bBefore = stats[before + frameStat.secondBin]!
  const straight = Math.abs(a - aBefore) < driftBinsMax && (single || Math.abs(b - bBefore) < driftBinsMax)
  const crossed = Math.abs(a - bBefore) < driftBinsMax && Math.abs(b - aBefore) < driftBinsMax
  return straight || crossed
}
