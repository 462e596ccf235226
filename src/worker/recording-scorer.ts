/**
 * Judges recordings with the very pipeline of live calls: every channel is a track that hears 160-byte frames of base64
 * mu-law at media time. Many channels go side by side, one hop a round, so that the model judges them in one batch; as
 * one ends the next takes its lane. Results come in the order of the files. One thread.
 *
 *   files a b c d ...     lanes   a/0 | b/0 | b/1 | c/0      round: one hop (25 frames) of each lane, then one tick
 */
import { strict as assert } from 'node:assert'
import { telephoneChannels } from '../audio/telephone.ts'
import type { VoiceConfig } from '../config/schema.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import { zeroCounters } from '../core/metrics.ts'
import type { TrackVerdict } from '../decisions/verdict-view.ts'
import { type VerdictSettings, VoiceVerdict, verdictSettings } from '../decisions/voice-verdict.ts'
import { VoiceFrontEnd } from '../features/voice-front-end.ts'
import type { HopDetector } from '../inference/hop-detector.ts'
import type { VoiceModel } from '../inference/model-file.ts'
import type { ScoredHop } from '../inference/scored-hop.ts'
import { readAudio, wavChannelsMax } from '../wire/wav.ts'
import { openDetector, type SecondStageStart, type StagedDetector, stagesLabel } from './staged-detector.ts'
import { VoicePipeline } from './voice-pipeline.ts'

/** Channels side by side; a file with more still goes whole. */
const lanesMax = 32
const frameBytes = 160
const frameMs = 20

export interface Recording {
  readonly file: string
  /** Reads the whole file; called once, when its turn comes. */
  readonly read: () => Promise<Uint8Array>
  /** Refuses a recording with more, which would take that many tracks; default: as many as a WAV file may have. */
  readonly channelsMax?: number
  /** Refuses a longer one. */
  readonly audioSMax?: number
  /** Called after each hop, with the verdict as it stands then. */
  readonly heard?: (hop: ScoredHop, verdict: VoiceVerdict, channel: number) => void
}

export type RecordingResult =
  | { readonly file: string; readonly verdicts: readonly TrackVerdict[] }
  | { readonly file: string; readonly error: OperatingError }

/** What `score` and the API say of a channel. */
export type ScoredChannel = { readonly file: string; readonly channel: number } & Pick<
  TrackVerdict,
  'label' | 'score' | 'confidence' | 'netSpeechMs' | 'audioMs' | 'windows' | 'reasons' | 'signals' | 'model'
>

export function scoredChannel(file: string, channel: number, verdict: TrackVerdict): ScoredChannel {
  const { label, score, confidence, netSpeechMs, audioMs, windows, reasons, signals, model } = verdict
  const told = { file, channel, label, score, confidence, netSpeechMs, audioMs, windows, reasons, model }
  return signals === undefined ? told : { ...told, signals }
}

interface Lane {
  readonly trackId: number
  readonly job: Job
  readonly channel: number
  readonly mulaw: Uint8Array
  readonly verdict: VoiceVerdict
  at: number
}

interface Job {
  readonly recording: Recording
  /** Channels still under way. */
  open: number
  readonly verdicts: TrackVerdict[]
  error: OperatingError | undefined
}

export interface ScorerOptions {
  readonly model: VoiceModel
  readonly secondStage?: SecondStageStart | null
  readonly voice: VoiceConfig
}

export class RecordingScorer {
  readonly #pipeline: VoicePipeline
  readonly #settings: VerdictSettings
  readonly #hopFrames: number
  readonly #detector: HopDetector
  readonly #lanes: Lane[] = []
  readonly #byTrack = new Map<number, Lane>()
  /** One frame as base64 text. */
  readonly #text = Buffer.alloc(4 * Math.ceil(frameBytes / 3))
  #nextTrackId = 1

  private constructor(pipeline: VoicePipeline, settings: VerdictSettings, { detector, hopMs }: StagedDetector) {
    this.#pipeline = pipeline
    this.#detector = detector
    this.#settings = settings
    this.#hopFrames = Math.ceil(hopMs / frameMs)
  }

  static async create({ model, secondStage = null, voice }: ScorerOptions): Promise<RecordingScorer> {
    const { manifest } = model
    const tracksMax = lanesMax + wavChannelsMax
    const counters = zeroCounters()
    const staged = await openDetector({ model, secondStage, batchMax: lanesMax, counters, waits: true })
    const { detector, spec, hopMs } = staged
    const pipeline = new VoicePipeline({
      frontEnd: VoiceFrontEnd.create(spec, tracksMax),
      ...{ detector, hopMs, gapFillMsMax: voice.gapFillMsMax, tracksMax, counters },
    })
    const settings = verdictSettings(voice, manifest, stagesLabel(manifest, secondStage))
    return new RecordingScorer(pipeline, settings, staged)
  }

  /** `done` is called once per recording, in their order. */
  async score(recordings: readonly Recording[], done: (result: RecordingResult) => void): Promise<void> {
    const jobs: Job[] = []
    let next = 0
    let told = 0
    while (told < recordings.length) {
      while (next < recordings.length && this.#lanes.length < lanesMax) {
        jobs.push(await this.#begin(recordings[next++]!))
      }
      await this.#round()
      for (let job = jobs[0]; job !== undefined && job.open === 0; job = jobs[0]) {
        jobs.shift()
        told++
        const { recording, verdicts, error } = job
        const { file } = recording
        done(error === undefined ? { file, verdicts } : { file, error })
      }
    }
  }

  /** Frees the models' memory and ends their threads; nothing can be scored after that. */
  release(): Promise<void> {
    return this.#detector.release()
  }

  async #begin(recording: Recording): Promise<Job> {
    const { file, read, channelsMax = wavChannelsMax, audioSMax = Infinity } = recording
    const job: Job = { recording, open: 0, verdicts: [], error: undefined }
    try {
      const audio = readAudio(file, await read())
      if (audio.channels.length > channelsMax) {
        throw new OperatingError('audio_unreadable', `${audio.channels.length} channels, at most ${channelsMax}`)
      }
      const audioS = (audio.channels[0]?.length ?? 0) / audio.sampleRateHz
      if (audioS > audioSMax) {
        throw new OperatingError('audio_unreadable', `${Math.ceil(audioS)} s of audio, at most ${audioSMax}`)
      }
      const channels = telephoneChannels(audio)
      job.open = channels.length
      const sides = channels.map((mulaw, channel) => this.#open(job, channel, mulaw))
      // Two channels are the two sides of a call.
      if (sides.length === 2) sides[0]!.verdict.turns.face(sides[1]!.verdict.turns)
    } catch (thrown) {
      if (thrown instanceof OperatingError) job.error = thrown
      else job.error = new OperatingError('audio_unreadable', messageOf(thrown), { cause: thrown })
    }
    return job
  }

  #open(job: Job, channel: number, mulaw: Uint8Array): Lane {
    const trackId = this.#nextTrackId++
    const lane = { trackId, job, channel, mulaw, verdict: new VoiceVerdict('inbound', this.#settings, 0), at: 0 }
    this.#pipeline.open(trackId)
    this.#lanes.push(lane)
    this.#byTrack.set(trackId, lane)
    return lane
  }

  /** One hop of every lane, judged together; lanes at their end are closed. */
  async #round(): Promise<void> {
    for (const lane of this.#lanes) {
      for (let frame = 0; frame < this.#hopFrames && lane.at < lane.mulaw.length; frame++) {
        if (this.#pipeline.full) await this.#tick()
        this.#hear(lane)
      }
    }
    await this.#tick()
    let kept = 0
    for (const lane of this.#lanes) {
      if (lane.at < lane.mulaw.length) this.#lanes[kept++] = lane
      else this.#close(lane)
    }
    this.#lanes.length = kept
  }

  #hear(lane: Lane): void {
    const end = Math.min(lane.at + frameBytes, lane.mulaw.length)
    const { buffer, byteOffset } = lane.mulaw
    const text = Buffer.from(buffer, byteOffset + lane.at, end - lane.at).toString('base64')
    const length = this.#text.write(text, 'latin1')
    this.#pipeline.frame(lane.trackId, (lane.at / frameBytes) * frameMs, this.#text, 0, length, 0)
    lane.at = end
  }

  #tick(): Promise<void> {
    return this.#pipeline.tick((hop: ScoredHop) => {
      const lane = this.#byTrack.get(hop.trackId)
      assert(lane !== undefined, 'a hop of a track that is not open')
      lane.verdict.observe(hop, hop.hopEndMs)
      lane.job.recording.heard?.(hop, lane.verdict, lane.channel)
    })
  }

  #close(lane: Lane): void {
    this.#pipeline.close(lane.trackId)
    this.#byTrack.delete(lane.trackId)
    lane.job.verdicts[lane.channel] = lane.verdict.snapshot()
    lane.job.open--
  }
}
