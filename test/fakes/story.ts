/**
 * A small afternoon of calls for the dashboard: some live of every label, some past, one with everything that can
 * happen.
 */
import type { CallView, Label, WindowView } from '../../src/decisions/verdict-view.ts'
import { call, liveCall, track, windows } from './calls.ts'

/** Deterministic noise in -1..1. */
function noise(n: number): number {
  const x = Math.sin(n * 127.1 + 311.7) * 43758.5453
  return 2 * (x - Math.floor(x)) - 1
}

/** Scores that wander around `to` after starting in the middle. */
export function wander(seed: number, count: number, to: number): number[] {
  return Array.from({ length: count }, (_, n) => {
    const settled = 0.5 + (to - 0.5) * Math.min(1, n / 12)
    return Math.min(0.995, Math.max(0.005, settled + 0.07 * noise(seed * 1000 + n)))
  })
}

const ends: readonly [Label, number][] = [
  ['likely_synthetic', 0.95],
  ['likely_human', 0.08],
  ['inconclusive', 0.55],
  ['likely_human', 0.15],
  ['insufficient_speech', 0.5],
  ['likely_human', 0.2],
  ['benign_automation', 0.4],
]

const numbers = ['+14155550123', '+442071838750', '+4930901820', '+33140205050', '+12125550187', '+61291234567']

export function storyTrack(seed: number, over: Parameters<typeof track>[0] = {}) {
  const [label, to] = ends[seed % ends.length] ?? ['inconclusive', 0.5]
  const quiet = label === 'insufficient_speech'
  const scores = wander(seed, quiet ? 4 : 20 + ((seed * 13) % 60), to)
  const score = quiet ? null : (scores.at(-1) ?? null)
  const audioMs = scores.length * 500
  return track({
    label,
    score,
    confidence: quiet ? 0.05 : 0.45 + 0.08 * (seed % 6),
    provisional: seed % 8 === 3,
    netSpeechMs: quiet ? 900 : Math.round(audioMs * 0.6),
    audioMs,
    gapMs: seed % 4 === 0 ? 60 : 0,
    lostMs: seed % 9 === 0 ? 420 : 0,
    windows: windows(quiet ? scores.map(() => null) : scores),
    updatedAtMs: Date.UTC(2026, 0, 1) + seed,
    ...over,
  })
}

export function storyLive(seed: number): CallView {
  return liveCall(0xa1b2c3d4e5f000 + seed * 0x1357, {
    startedAtMs: -10_000 - seed * 7919,
    from: numbers[seed % 6] ?? '',
    to: numbers[(seed + 2) % 6] ?? '',
    tracks: [storyTrack(seed)],
  })
}

export function storyPast(seed: number): CallView {
  return call(0xb0b0c3d4e5f000 + seed * 0x2b67, {
    startedAtMs: -120_000 - seed * 317_000,
    from: numbers[(seed + 1) % 6] ?? '',
    to: numbers[(seed + 3) % 6] ?? '',
    state: seed % 7 === 6 ? 'interrupted' : 'ended',
    endReason: seed % 7 === 6 ? 'interrupted' : 'stop',
    tracks: [storyTrack(seed + 3)],
  })
}

/** 90 s with ringing tone, music on hold, keypad, silence, a gap, a clipped stretch and a change of verdict. */
export function eventfulCall(): CallView {
  const flagsAt = (hop: number): WindowView['flags'] => {
    if (hop < 6) return ['tone']
    if (hop >= 40 && hop < 64) return ['music']
    if (hop === 70 || hop === 71) return ['dtmf']
    if (hop >= 80 && hop < 88) return ['silence']
    if (hop === 101 || hop === 102) return ['gap']
    if (hop >= 130 && hop < 134) return ['clipped']
    return []
  }
  const human = wander(5, 72, 0.12)
  const machine = wander(9, 108, 0.94).map((score, n) => (n < 10 ? 0.12 + (score - 0.12) * (n / 10) : score))
  const scores = [...human, ...machine].map((score, hop) =>
    hop < 6 || (hop >= 40 && hop < 64) || (hop >= 82 && hop < 88) ? null : score,
  )
  const flags = Object.fromEntries(scores.map((_, hop) => [hop, flagsAt(hop)]))
  const eventful = storyTrack(0, {
    windows: windows(scores, flags),
    score: 0.94,
    confidence: 0.86,
    provisional: false,
    netSpeechMs: 51_400,
    audioMs: 90_000,
    gapMs: 60,
    lostMs: 940,
    duplicates: 3,
    gaps: [{ startMs: 50_600, endMs: 51_480 }],
    reasons: [
      { code: 'score_synthetic', text: 'score 0.94 over 51.4 s of speech, at or above 0.8' },
      { code: 'voice_changed', text: 'the voice changed before 38.5 s; earlier evidence was set aside' },
      { code: 'audio_loss', text: '1 % of the audio was lost or filled' },
    ],
  })
  const other = storyTrack(1, {
    track: 'outbound',
    windows: windows(wander(2, 180, 0.1)),
    score: 0.09,
    audioMs: 90_000,
  })
  return call(0xeeee, {
    callSid: 'CA5f0c9e2b71d84a36b0e1f2a3c4d5e6f7',
    from: '+14155550123',
    to: '+442071838750',
    startedAtMs: -100_000,
    tracks: [eventful, other],
  })
}
