/**
 * The detections of this process by id, by call and track, by stream name. Live ones stay; ended ones are kept for an
 * hour, at most `endedKeptMax` of them. Plain memory, main thread.
 */
import type { TrackName } from '../ingest/track.ts'
import { type Detection, type DetectionState, isActive } from './detection.ts'

export const endedKeptMax = 2000
const endedKeptMs = 3_600_000

export interface DetectionFilter {
  readonly state?: DetectionState | undefined
  readonly callSid?: string | undefined
  readonly limit: number
}

export class DetectionRegistry {
  /** In order of creation. */
  readonly #byId = new Map<string, Detection>()
  readonly #byCall = new Map<string, Detection[]>()
  /** Ids of those that ended -> when, steady ms; oldest first. */
  readonly #ended = new Map<string, number>()

  get activeCount(): number {
    return this.#byId.size - this.#ended.size
  }

  add(detection: Detection): void {
    this.#byId.set(detection.id, detection)
    const siblings = this.#byCall.get(detection.callSid)
    if (siblings === undefined) this.#byCall.set(detection.callSid, [detection])
    else siblings.push(detection)
  }

  get(id: string): Detection | undefined {
    return this.#byId.get(id)
  }

  ofCall(callSid: string): readonly Detection[] {
    return this.#byCall.get(callSid) ?? []
  }

  /** The newest of a call and track. */
  latest(callSid: string, track: TrackName): Detection | undefined {
    return this.ofCall(callSid).findLast((detection) => detection.track === track)
  }

  active(callSid: string, track: TrackName): Detection | undefined {
    const detection = this.latest(callSid, track)
    return detection !== undefined && isActive(detection) ? detection : undefined
  }

  all(): IterableIterator<Detection> {
    return this.#byId.values()
  }

  /** Newest first. */
  list({ state, callSid, limit }: DetectionFilter): Detection[] {
    const found = callSid === undefined ? [...this.#byId.values()] : [...this.ofCall(callSid)]
    return found
      .filter((detection) => state === undefined || detection.state === state)
      .reverse()
      .slice(0, limit)
  }

  /** Call it when a detection ended or failed. */
  noteEnded(detection: Detection, steadyMs: number): void {
    this.#ended.delete(detection.id)
    this.#ended.set(detection.id, steadyMs)
    for (const [id, endedMs] of this.#ended) {
      if (this.#ended.size <= endedKeptMax && steadyMs - endedMs < endedKeptMs) return
      this.#forget(id)
    }
  }

  /** Call it when an ended detection goes on. */
  noteRevived(detection: Detection): void {
    this.#ended.delete(detection.id)
  }

  #forget(id: string): void {
    this.#ended.delete(id)
    const detection = this.#byId.get(id)
    if (detection === undefined) return
    this.#byId.delete(id)
    const siblings = this.ofCall(detection.callSid).filter((sibling) => sibling.id !== id)
    if (siblings.length === 0) this.#byCall.delete(detection.callSid)
    else this.#byCall.set(detection.callSid, siblings)
  }
}
