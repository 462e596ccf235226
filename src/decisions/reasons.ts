/** Why a verdict is what it is, in codes for programs and words with numbers for people. Pure; main thread. */
import { unfamiliarShareMax } from './recent-share.ts'
import type { Label, Reason } from './verdict-view.ts'
import type { VerdictSettings } from './voice-verdict.ts'

export interface ReasonFacts {
  readonly label: Label
  readonly score: number | null
  readonly provisional: boolean
  readonly netSpeechMs: number
  readonly audioMs: number
  /** Filled and lost audio as a share of what was due, 0..1. */
  readonly lossShare: number
  /** Audio under each flag, ms. */
  readonly masked: { readonly music: number; readonly tone: number; readonly dtmf: number; readonly clipped: number }
  /** Speech left out because it is unlike what the model learned from: all of it, and the share of the recent. */
  readonly unfamiliarSpeechMs: number
  readonly unfamiliarShare: number
  readonly voiceChangedAtMs: number | null
  readonly settings: VerdictSettings
}

/** A flag is worth a word when it covers this share of the audio. */
const shareWorthSaying = 0.2

/** Share of the audio from which little speech beside music is not trusted. */
const muchMusicFrom = 0.25

/**
 * Little speech beside much music: the speech may be what the flag missed of the music. People lose next to nothing by
 * it (docs/voice-evaluation.md).
 */
export function isLostInMusic(provisional: boolean, musicMs: number, audioMs: number): boolean {
  return provisional && musicMs > muchMusicFrom * audioMs
}

/** Never empty; the decisive reason first. */
export function describeReasons(facts: ReasonFacts): Reason[] {
  const reasons = [decisive(facts)]
  const share = (ms: number): number => (facts.audioMs === 0 ? 0 : ms / facts.audioMs)
  if (facts.voiceChangedAtMs !== null) {
    const at = seconds(facts.voiceChangedAtMs)
    reasons.push({ code: 'voice_changed', text: `the voice changed before ${at}; earlier evidence was set aside` })
  }
  for (const flag of ['music', 'tone', 'dtmf'] as const) {
    const covered = share(facts.masked[flag])
    const code = `mostly_${flag}`
    if (covered >= shareWorthSaying && reasons[0]?.code !== code) {
      reasons.push({ code, text: `${percent(covered)} of the audio is ${flag}; it was left out` })
    }
  }
  if (share(facts.masked.clipped) >= shareWorthSaying) {
    reasons.push({
      code: 'clipped',
      text: `${percent(share(facts.masked.clipped))} of the audio is clipped; it counts less`,
    })
  }
  const unfamiliar = facts.unfamiliarSpeechMs / Math.max(1, facts.unfamiliarSpeechMs + facts.netSpeechMs)
  if (unfamiliar >= shareWorthSaying && reasons[0]?.code !== 'unfamiliar_audio') {
    const text = `${percent(unfamiliar)} of the speech is unlike what the model learned from; it was left out`
    reasons.push({ code: 'unfamiliar_audio', text })
  }
  if (facts.lossShare > 0.01 && facts.lossShare <= facts.settings.lossShareMax) {
    reasons.push({ code: 'audio_loss', text: `${percent(facts.lossShare)} of the audio was lost or filled` })
  }
  if (facts.provisional && facts.label !== 'insufficient_speech') {
    reasons.push({
      code: 'provisional',
      text: `rests on ${seconds(facts.netSpeechMs)} of speech; firm from ${seconds(facts.settings.firmNetSpeechMs)}`,
    })
  }
  return reasons
}

function decisive(facts: ReasonFacts): Reason {
  const { settings, score } = facts
  const scoreText = score === null ? 'none' : score.toFixed(2)
  const speech = seconds(facts.netSpeechMs)
  if (facts.label === 'insufficient_speech') {
    const needed = seconds(settings.provisionalNetSpeechMs)
    return { code: 'insufficient_speech', text: `${speech} of speech heard, ${needed} are needed` }
  }
  if (facts.label === 'likely_synthetic') {
    const kept = leaving(`under ${rounded(settings.synthetic - settings.hysteresis)}`, settings)
    const where = (score ?? 1) < settings.synthetic ? kept : `at or above ${settings.synthetic}`
    return { code: 'score_synthetic', text: `score ${scoreText} over ${speech} of speech, ${where}` }
  }
  if (facts.label === 'benign_automation') {
    const text = `score ${scoreText} over ${speech} of speech; ${settings.benign?.text ?? 'a machine by right'}`
    return { code: 'benign_automation', text }
  }
  if (facts.label === 'likely_human') {
    const kept = leaving(`over ${rounded(settings.human + settings.hysteresis)}`, settings)
    const where = (score ?? 0) > settings.human ? kept : `at or below ${settings.human}`
    const text = `score ${scoreText} over ${speech} of speech, ${where}; this is not identity`
    return { code: 'score_human', text }
  }
  if (facts.unfamiliarShare > unfamiliarShareMax) {
    const share = percent(facts.unfamiliarShare)
    const text = `${share} of the recent speech is unlike what the model learned from; it was left out`
    return { code: 'unfamiliar_audio', text }
  }
  if (facts.lossShare > settings.lossShareMax) {
    const limit = percent(settings.lossShareMax)
    const text = `${percent(facts.lossShare)} of the audio was lost or filled, more than ${limit}`
    return { code: 'audio_loss', text }
  }
  if (isLostInMusic(facts.provisional, facts.masked.music, facts.audioMs)) {
    const share = percent(facts.masked.music / facts.audioMs)
    const text = `only ${speech} of speech, and ${share} of the audio is music; the speech may be part of it`
    return { code: 'mostly_music', text }
  }
  const text = `score ${scoreText} over ${speech} of speech lies between ${settings.human} and ${settings.synthetic}`
  return { code: 'score_between', text }
}

/** Of a score on its way out: what ends the label. */
function leaving(where: string, settings: VerdictSettings): string {
  return `leaves when ${where} for ${seconds(settings.dwellMs)}`
}

/** Sums of settings, without the dust of binary fractions. */
function rounded(threshold: number): number {
  return Math.round(threshold * 1000) / 1000
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}
