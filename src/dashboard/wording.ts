/**
 * How verdicts, times and numbers are said to people. Labels speak of how a voice sounds, never of who is speaking.
 * Pure: no DOM. Browser.
 */

import type { Label } from '../decisions/verdict-view.ts'
import { isToken, tokenMark } from '../wire/number-token.ts'

export interface LabelWords {
  readonly name: string
  readonly meaning: string
}

export const labelWords: Readonly<Record<Label, LabelWords>> = {
  likely_synthetic: { name: 'Likely synthetic', meaning: 'The speech sounds generated or replayed by a machine.' },
  likely_human: {
    name: 'Likely human',
    meaning: 'The speech sounds like a live person. That is not identity: it does not say who is speaking.',
  },
  inconclusive: {
    name: 'Inconclusive',
    meaning: 'The evidence does not point either way, or the audio is too damaged or unlike what the model knows.',
  },
  insufficient_speech: { name: 'Too little speech', meaning: 'Not enough speech was heard yet to judge.' },
  benign_automation: { name: 'Benign automation', meaning: 'Music, tones or an announcement, not a conversation.' },
}

/** Worst first: the order in which a person should look. */
export const labelOrder: readonly Label[] = [
  'likely_synthetic',
  'inconclusive',
  'likely_human',
  'insufficient_speech',
  'benign_automation',
]

export const flagWords: Readonly<Record<string, string>> = {
  silence: 'silence',
  music: 'music',
  tone: 'tone',
  dtmf: 'keypad (DTMF)',
  clipped: 'clipped',
  gap: 'gap',
}

export const endReasonWords: Readonly<Record<string, string>> = {
  stop: 'stream stopped',
  call_status: 'call completed',
  idle: 'no audio any more',
  socket_closed: 'socket closed',
  interrupted: 'server stopped before the call did',
  operator: 'stopped by an operator',
}

/** `CA0123…89ab`: enough to tell calls apart at a glance. */
export function shortSid(callSid: string): string {
  return callSid.length <= 12 ? callSid : `${callSid.slice(0, 4)}…${callSid.slice(-6)}`
}

/** A number as the page shows it by default: only its end, which is enough to recognise it. */
export function maskNumber(number: string): string {
  if (number === '') return 'hidden'
  if (isToken(number)) return tokenText(number)
  if (/^\+?\d{5,}$/.test(number)) return `···· ${number.slice(-3)}`
  return `${number.slice(0, 2)}····`
}

export function showNumber(number: string, clear: boolean): string {
  if (number === '') return 'hidden'
  if (isToken(number)) return tokenText(number)
  return clear ? number : maskNumber(number)
}

/** `1202555…ahc`: what a token shows, and enough of its name to tell it from its neighbours. */
function tokenText(token: string): string {
  return `${token.slice(0, token.indexOf(tokenMark))}…${token.slice(-3)}`
}

/** `0:07`, `12:41`, `1:02:03`. */
export function clockTime(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  const [hours = 0, minutes = 0, rest = 0] = parts
  const tail = `${String(minutes).padStart(hours > 0 ? 2 : 1, '0')}:${String(rest).padStart(2, '0')}`
  return hours > 0 ? `${hours}:${tail}` : tail
}

/** `0 ms`, `340 ms`, `6.2 s`, `1:12`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : clockTime(ms)
}

export function scoreText(score: number | null): string {
  return score === null ? '–' : score.toFixed(2)
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

/** Local date and time, short: `22 Nov, 16:39`, or to the second. */
export function localTime(iso: string, toTheSecond = false): string {
  const date = new Date(iso)
  if (Number.isNaN(date.getTime())) return '–'
  return date.toLocaleString(undefined, {
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
    ...(toTheSecond ? { second: '2-digit' } : {}),
    hour12: false,
  })
}
