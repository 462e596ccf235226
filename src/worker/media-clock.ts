/**
 * The clock of one track: where each frame belongs in media time. `media.timestamp` is time; how frames are delivered
 * says nothing. The clock holds where the heard audio ends, `originMs + samples / 8`, and compares each frame with
 * it. Media timestamps are whole milliseconds while frames may be of any length, so small differences are rounding or
 * jitter and are appended as they are; because the comparison is with the frame's own time, such differences never
 * add up. Pure, any thread.
 *
 *     heard so far |==================| endMs
 *     append                        [frame]        |delta| <= jitter
 *     fill                              ....[frame]    delta <= gapFillMsMax: the dots become flagged silence
 *     restart                           .......lost......[frame]   a new window begins at the frame
 *     trim                         [##me]          the covered part # is skipped
 *     duplicate, regressed   [frame]               wholly covered: dropped
 *     stray                                      more than an hour off: dropped, unless the next frame continues it
 */
import { mediaJumpMsMax } from '../wire/twilio-media.ts'

const samplesPerMs = 8
/** Timestamps are whole ms: an edge may be wrong by so much. */
const roundingMs = 1
/** No difference of so much or more is jitter, however long the frames are. */
const jitterMsMax = 20
/** How well a second stray frame must continue the first to be believed. */
const strayContinuesMs = 1000

/** What to do with a frame. `append` covers fill and trim: see `fillSamples` and `skipSamples`. */
export const placement = { append: 0, restart: 1, duplicate: 2, regressed: 3, stray: 4 } as const

export type Placement = (typeof placement)[keyof typeof placement]

export class MediaClock {
  /** For `append`: silence to put before the frame. */
  fillSamples = 0
  /** For `append`: samples at the frame's start that were heard already. */
  skipSamples = 0
  /** For `restart`: audio that never came. 0 at the first frame and when the clock itself was changed. */
  lostMs = 0
  readonly #gapFillMsMax: number
  /** Media time of the window's first sample; NaN before the first frame. */
  #originMs: number
  /** Samples of the window, heard or filled. */
  #samples = 0
  /** Timestamp of the newest frame that was used. */
  #newestMs: number
  #strayEndMs = Number.NaN

  /** @param heardUntilMs where an earlier clock of the same track ended; NaN when there was none */
  constructor(gapFillMsMax: number, heardUntilMs = Number.NaN) {
    this.#gapFillMsMax = gapFillMsMax
    this.#originMs = heardUntilMs
    this.#newestMs = heardUntilMs
  }

  get originMs(): number {
    return this.#originMs
  }

  /** Where the heard audio ends. */
  get endMs(): number {
    return this.#originMs + this.#samples / samplesPerMs
  }

  /** Places a frame of `samples` samples that begins at `mediaMs`, and counts it as heard unless it is dropped. */
  place(mediaMs: number, samples: number): Placement {
    const frameMs = samples / samplesPerMs
    const delta = mediaMs - this.endMs
    this.fillSamples = 0
    this.skipSamples = 0
    this.lostMs = 0
    if (!Number.isFinite(mediaMs) || Math.abs(delta) >= mediaJumpMsMax) return this.#stray(mediaMs, samples)
    if (Number.isNaN(delta)) return this.#restart(mediaMs, samples)
    const jitterMs = Math.min(jitterMsMax, Math.max(2 * roundingMs, frameMs)) - roundingMs
    if (delta > jitterMs) {
      if (delta > this.#gapFillMsMax) {
        this.#restart(mediaMs, samples)
        this.lostMs = delta
        return placement.restart
      }
      this.fillSamples = Math.round(delta * samplesPerMs)
    } else if (delta < -jitterMs) {
      if (frameMs + delta <= roundingMs) return this.#covered(mediaMs)
      this.skipSamples = Math.round(-delta * samplesPerMs)
    }
    this.#samples += this.fillSamples + samples - this.skipSamples
    this.#newestMs = mediaMs
    return placement.append
  }

  #covered(mediaMs: number): Placement {
    return mediaMs + roundingMs < this.#newestMs ? placement.regressed : placement.duplicate
  }

  #restart(mediaMs: number, samples: number): Placement {
    this.#originMs = mediaMs
    this.#samples = samples
    this.#newestMs = mediaMs
    this.#strayEndMs = Number.NaN
    return placement.restart
  }

  /** One stray frame is somebody's mistake; two that follow one another are a new clock. */
  #stray(mediaMs: number, samples: number): Placement {
    if (Math.abs(mediaMs - this.#strayEndMs) <= strayContinuesMs) return this.#restart(mediaMs, samples)
    this.#strayEndMs = mediaMs + samples / samplesPerMs
    return placement.stray
  }
}
