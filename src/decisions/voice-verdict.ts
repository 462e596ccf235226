/**
 * The verdict on one track of a live call. Takes scored hops in order, counts net speech instead of wall time, leaves
 * music, tones, gaps and what is unlike the model's training out, and keeps the label from flapping: it changes only
 * when the score is past the threshold (with hysteresis) for `dwellMs` of net speech. Abstains rather than guesses: too
 * little speech, little of it in much music, too much loss, mostly unfamiliar audio, a score between the thresholds.
 * Every verdict carries its reasons. Pure: time comes in as arguments. Main thread.
 */
import type { VoiceConfig } from '../config/schema.ts'
import type { TrackSignals } from '../features/call-signals.ts'
import { hopFlag, unfamiliarBit } from '../features/hop.ts'
import { isEvidence, type ScoredHop } from '../inference/scored-hop.ts'
import type { TrackName } from '../ingest/track.ts'
import { Evidence } from './evidence.ts'
import { type Opinion, opinionReasons } from './opinion-agreement.ts'
import { describeReasons, isLostInMusic, type ReasonFacts } from './reasons.ts'
import { RecentShare, unfamiliarShareMax } from './recent-share.ts'
import { signalReasons, signalsView } from './signals-view.ts'
import { SpeechTurns } from './speech-turns.ts'
import type { GapView, Label, TrackBrief, TrackVerdict } from './verdict-view.ts'
import { roundScore, WindowHistory } from './window-history.ts'

export interface VerdictSettings {
  readonly provisionalNetSpeechMs: number
  readonly firmNetSpeechMs: number
  readonly forgettingHalfLifeMs: number
  readonly dwellMs: number
  readonly lossShareMax: number
  readonly hysteresis: number
  /** Probability from which the label is likely_synthetic. */
  readonly synthetic: number
  /** Probability up to which the label is likely_human. */
  readonly human: number
  /** name/version of the model. */
  readonly model: string
  readonly modelSha256?: string
  /** This track's voice may be a machine: what the exception says, and the media time until which it counts. */
  readonly benign?: { readonly text: string; readonly untilMs: number | null } | null
}

/** A verdict in figures, without its windows. */
export interface VerdictFigures {
  readonly label: Label
  readonly score: number | null
  readonly confidence: number
  readonly netSpeechMs: number
  /** Media time heard or lost so far. */
  readonly mediaMs: number
  /** Phrases that were the sound of an earlier one again. */
  readonly repeatedPhrases: number
}

/** Configured thresholds go before the manifest's. */
export function verdictSettings(
  voice: VoiceConfig,
  manifest: { thresholds: { synthetic: number; human: number }; sha256: string },
  model: string,
): VerdictSettings {
  return {
    ...voice,
    synthetic: voice.thresholds.synthetic ?? manifest.thresholds.synthetic,
    human: voice.thresholds.human ?? manifest.thresholds.human,
    model,
    modelSha256: manifest.sha256,
  }
}

/** Gaps kept per track for the timeline; later ones are only counted. */
export const gapsKeptMax = 200
/** Opinions kept per track; each vendor is asked once. */
const opinionsKeptMax = 8
/** Weight of a hop with filled or clipped audio: its features are partly not the caller's voice. */
const qualityGap = 0.4
const qualityClipped = 0.6
/** Hops that are not speech of a person or machine, whatever the gate said. */
const maskedFlags = hopFlag.music | hopFlag.tone | hopFlag.dtmf

export class VoiceVerdict {
  /** When this side spoke; set to face the other side's where both are heard. */
  readonly turns = new SpeechTurns()
  readonly #track: TrackName
  readonly #settings: VerdictSettings
  readonly #evidence: Evidence
  readonly #unfamiliar: RecentShare
  readonly #windows = new WindowHistory()
  readonly #gaps: GapView[] = []
  #label: Label = 'insufficient_speech'
  #candidate: Label = 'insufficient_speech'
  #candidateHeldMs = 0
  #judgedHops = 0
  #netSpeechMs = 0
  #unfamiliarSpeechMs = 0
  #audioMs = 0
  #gapMs = 0
  #lostMs = 0
  #duplicates = 0
  #maskedMs = { music: 0, tone: 0, dtmf: 0, clipped: 0 }
  #voiceChangedAtMs: number | null = null
  #opinions: readonly Opinion[] = []
  #signals: Readonly<TrackSignals> | undefined
  #updatedAtMs: number

  constructor(track: TrackName, settings: VerdictSettings, nowMs: number) {
    this.#track = track
    this.#settings = settings
    this.#evidence = new Evidence(settings.forgettingHalfLifeMs)
    this.#unfamiliar = new RecentShare(settings.forgettingHalfLifeMs)
    this.#updatedAtMs = nowMs
  }

  get label(): Label {
    return this.#label
  }

  /** What the track is held to, from its first to its last hop. */
  get settings(): VerdictSettings {
    return this.#settings
  }

  /** What another detector said; it changes neither label nor score. */
  heard(opinion: Opinion): void {
    if (this.#opinions.length < opinionsKeptMax) this.#opinions = [...this.#opinions, opinion]
  }

  /** @returns true when the label changed. */
  observe(hop: ScoredHop, nowMs: number): boolean {
    this.#account(hop)
    this.#hearSignals(hop)
    const counts = isEvidence(hop)
    const score = counts ? 1 / (1 + Math.exp(-hop.llr)) : Number.NaN
    this.#windows.push(hop.windowStartMs, hop.hopEndMs, score, hop.flags)
    this.#updatedAtMs = nowMs
    if (counts) {
      this.#judgedHops += 1
      const reopened = this.#evidence.add(hop.llr, hop.hopSpeechMs, qualityOf(hop.flags))
      if (reopened) this.#voiceChangedAtMs = hop.hopEndMs
    }
    const mayTurn = counts || this.#isMostlyUnfamiliar() || this.#isLostInMusic()
    return this.#relabel(mayTurn ? hop.hopSpeechMs : 0)
  }

  #hearSignals({ signals, hopEndMs }: ScoredHop): void {
    if (signals === undefined) return
    this.#signals = signals
    this.turns.hear(signals, hopEndMs)
  }

  #account(hop: ScoredHop): void {
    const hopMs = hop.hopEndMs - hop.hopStartMs
    this.#audioMs += hopMs
    this.#gapMs += hop.filledMs
    this.#lostMs += hop.lostMs
    this.#duplicates += hop.duplicates
    if (hop.lostMs > 0) this.#addGap(hop.hopStartMs - hop.lostMs, hop.hopStartMs)
    if (hop.filledMs > 0) this.#addGap(hop.hopStartMs, hop.hopEndMs)
    if ((hop.flags & hopFlag.music) !== 0) this.#maskedMs.music += hopMs
    if ((hop.flags & hopFlag.tone) !== 0) this.#maskedMs.tone += hopMs
    if ((hop.flags & hopFlag.dtmf) !== 0) this.#maskedMs.dtmf += hopMs
    if ((hop.flags & hopFlag.clipped) !== 0) this.#maskedMs.clipped += hopMs
    if ((hop.flags & maskedFlags) !== 0 && Number.isNaN(hop.llr)) return
    const isUnfamiliar = (hop.flags & unfamiliarBit) !== 0
    if (isUnfamiliar) this.#unfamiliarSpeechMs += hop.hopSpeechMs
    else this.#netSpeechMs += hop.hopSpeechMs
    this.#unfamiliar.add(hop.hopSpeechMs, isUnfamiliar)
  }

  #addGap(startMs: number, endMs: number): void {
    if (this.#gaps.length < gapsKeptMax) this.#gaps.push({ startMs: Math.max(0, startMs), endMs })
  }

  /** The first label comes at once; later ones must hold for `dwellMs` of net speech. */
  #relabel(speechMs: number): boolean {
    const target = this.#target()
    if (target === this.#label) {
      this.#candidate = target
      this.#candidateHeldMs = 0
      return false
    }
    this.#candidateHeldMs = target === this.#candidate ? this.#candidateHeldMs + speechMs : speechMs
    this.#candidate = target
    const first = this.#label === 'insufficient_speech'
    if (!first && this.#candidateHeldMs < this.#settings.dwellMs) return false
    this.#label = target
    this.#candidateHeldMs = 0
    return true
  }

  #target(): Label {
    const { provisionalNetSpeechMs, lossShareMax, synthetic, human, hysteresis } = this.#settings
    const heardMs = this.#netSpeechMs + this.#unfamiliarSpeechMs
    if (heardMs >= provisionalNetSpeechMs && this.#isMostlyUnfamiliar()) return 'inconclusive'
    if (this.#netSpeechMs < provisionalNetSpeechMs || this.#judgedHops === 0) return 'insufficient_speech'
    if (this.#lossShare() > lossShareMax || this.#isLostInMusic()) return 'inconclusive'
    const score = this.#evidence.probability()
    const isSynthetic = this.#label === 'likely_synthetic' || this.#label === 'benign_automation'
    const leaveSynthetic = isSynthetic ? hysteresis : 0
    const leaveHuman = this.#label === 'likely_human' ? hysteresis : 0
    if (score >= synthetic - leaveSynthetic) return this.#isBenign() ? 'benign_automation' : 'likely_synthetic'
    if (score <= human + leaveHuman) return 'likely_human'
    return 'inconclusive'
  }

  #isMostlyUnfamiliar(): boolean {
    return this.#unfamiliar.value > unfamiliarShareMax
  }

  #isProvisional(): boolean {
    return this.#netSpeechMs < this.#settings.firmNetSpeechMs
  }

  #isLostInMusic(): boolean {
    return isLostInMusic(this.#isProvisional(), this.#maskedMs.music, this.#audioMs)
  }

  #isBenign(): boolean {
    const { benign } = this.#settings
    if (benign === undefined || benign === null) return false
    return benign.untilMs === null || this.#audioMs + this.#lostMs <= benign.untilMs
  }

  #lossShare(): number {
    const due = this.#audioMs + this.#lostMs
    return due === 0 ? 0 : (this.#gapMs + this.#lostMs) / due
  }

  /** Calibrated probability that the speech is synthetic, or null before anything was judged. */
  score(): number | null {
    return this.#judgedHops === 0 ? null : roundScore(this.#evidence.probability())
  }

  /** The evidence behind the score, not rounded; null before anything was judged. */
  get llr(): number | null {
    return this.#judgedHops === 0 ? null : this.#evidence.llr()
  }

  #confidence(): number {
    if (this.#judgedHops === 0) return 0
    const decided = Math.abs(2 * this.#evidence.probability() - 1)
    const speech = Math.min(1, this.#netSpeechMs / this.#settings.firmNetSpeechMs)
    const clean = Math.max(0, 1 - this.#lossShare() / Math.max(this.#settings.lossShareMax, 0.01))
    const familiar = Math.max(0, 1 - this.#unfamiliar.value / unfamiliarShareMax)
    return roundScore(decided * speech * clean * familiar)
  }

  /** What rules look at after every hop; cheaper than a snapshot. */
  figures(): VerdictFigures {
    return {
      label: this.#label,
      score: this.score(),
      confidence: this.#confidence(),
      netSpeechMs: this.#netSpeechMs,
      mediaMs: this.#audioMs + this.#lostMs,
      repeatedPhrases: this.#signals?.repeatedPhrases ?? 0,
    }
  }

  /** All of it. @param windowsMax newest windows to include */
  snapshot(windowsMax?: number): TrackVerdict {
    return {
      ...this.brief(windowsMax),
      duplicates: this.#duplicates,
      gaps: [...this.#gaps],
      ...(this.#signals === undefined ? {} : { signals: signalsView(this.#signals, this.turns.figures) }),
      model: this.#settings.model,
      updatedAtMs: this.#updatedAtMs,
    }
  }

  /** What is told of every hop: what a snapshot adds to it would cost as much again. */
  brief(windowsMax?: number): TrackBrief {
    const score = this.score()
    const provisional = this.#isProvisional()
    const facts: ReasonFacts = {
      label: this.#label,
      score,
      provisional,
      netSpeechMs: this.#netSpeechMs,
      audioMs: this.#audioMs,
      lossShare: this.#lossShare(),
      masked: this.#maskedMs,
      unfamiliarSpeechMs: this.#unfamiliarSpeechMs,
      unfamiliarShare: this.#unfamiliar.value,
      voiceChangedAtMs: this.#voiceChangedAtMs,
      settings: this.#settings,
    }
    return {
      track: this.#track,
      label: this.#label,
      score,
      confidence: this.#confidence(),
      provisional,
      netSpeechMs: Math.round(this.#netSpeechMs),
      audioMs: Math.round(this.#audioMs),
      gapMs: Math.round(this.#gapMs),
      lostMs: Math.round(this.#lostMs),
      windows: this.#windows.newest(windowsMax),
      reasons: [
        ...describeReasons(facts),
        ...signalReasons(this.#signals),
        ...opinionReasons(this.#label, this.#opinions),
      ],
      ...(this.#opinions.length === 0 ? {} : { opinions: this.#opinions }),
    }
  }
}

function qualityOf(flags: number): number {
  return ((flags & hopFlag.gap) !== 0 ? qualityGap : 1) * ((flags & hopFlag.clipped) !== 0 ? qualityClipped : 1)
}
