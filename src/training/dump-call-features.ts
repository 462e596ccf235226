/**
 * Features for training the flash-call model, made by the very code that makes them live: a `FraudDetector` is fed
 * labelled calls, and every window it would ask a model about is written with what is true of it.
 *
 *   NAME.f32   rows of float32, little-endian: the features in the order of `featureNames`, then `lookColumns`
 */
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { CdrConfig } from '../config/schema.ts'
import { FraudDetector } from '../decisions/fraud-detector.ts'
import { featureCount } from '../features/call-features.ts'
import type { WindowView } from '../features/call-windows.ts'
import type { CdrRecord } from '../wire/cdr-record.ts'
import { LookLabels, labelOf } from './look-labels.ts'

/** After the features: see `lookLabel`; calls of campaigns; a number for the key, one a run; hours of event time. */
export const lookColumns = ['label', 'campaignCalls', 'subject', 'hours'] as const
const rowFloats = featureCount + lookColumns.length
const rowsPerWrite = 4096

export interface DumpCounts {
  readonly looks: number
  readonly campaignLooks: number
  readonly calls: number
  readonly campaignCalls: number
  /** Event time from the first call to the last. */
  readonly days: number
}

export class CallFeatureDump {
  readonly #detector: FraudDetector
  readonly #labels: LookLabels
  readonly #file: number
  readonly #rows = new Float32Array(rowFloats * rowsPerWrite)
  readonly #subjects = new Map<string, number>()
  #held = 0
  #looks = 0
  #campaignLooks = 0
  #campaignCalls = 0
  #firstMs = Number.NaN
  #lastMs = Number.NaN
  /** Ids of campaign calls that wait for their turn in the reorder buffer. */
  readonly #campaign = new Set<string>()

  constructor(path: string, config: CdrConfig) {
    mkdirSync(dirname(path), { recursive: true })
    this.#file = openSync(path, 'w')
    this.#detector = new FraudDetector({
      config,
      reorder: { latenessMs: Number.POSITIVE_INFINITY, heldMax: config.windows.heldMax },
      newCaseId: () => 'training',
      onCase: () => undefined,
      onCall: (event) => {
        if (Number.isNaN(this.#firstMs)) this.#firstMs = event.timeMs
        this.#lastMs = event.timeMs
        if (this.#campaign.delete(event.id)) this.#labels.add(event.timeMs)
      },
      onCandidate: (view, level, features) => this.#look(view, level, features),
    })
    this.#labels = new LookLabels(this.#detector.windows)
  }

  call(record: CdrRecord, ofCampaign: boolean): void {
    if (ofCampaign && record.isAttempt) {
      this.#campaign.add(record.id)
      this.#campaignCalls++
    }
    this.#detector.record(record)
  }

  /** Judges what has come so far; now and then, so that it does not pile up. */
  advance(): Promise<void> {
    return this.#detector.advance()
  }

  /** The traffic is at its end: what was held back is written. */
  async finish(): Promise<DumpCounts> {
    await this.#detector.flush()
    this.#write()
    closeSync(this.#file)
    return {
      looks: this.#looks,
      campaignLooks: this.#campaignLooks,
      calls: this.#detector.events,
      campaignCalls: this.#campaignCalls,
      days: (this.#lastMs - this.#firstMs) / 86_400_000,
    }
  }

  #look(view: WindowView, level: number, features: Float32Array): void {
    const campaignCalls = this.#labels.inWindow(view, level)
    const label = labelOf(campaignCalls, view.sum(level, 'attempts'))
    const at = this.#held * rowFloats
    this.#rows.set(features, at)
    this.#rows[at + featureCount] = label
    this.#rows[at + featureCount + 1] = campaignCalls
    this.#rows[at + featureCount + 2] = this.#subject(view)
    this.#rows[at + featureCount + 3] = (view.timeMs - this.#firstMs) / 3_600_000
    this.#looks++
    if (label === 1) this.#campaignLooks++
    if (++this.#held === rowsPerWrite) this.#write()
  }

  #subject(view: WindowView): number {
    const firstMs = this.#detector.windows.tables[view.kind]!.firstMs[view.slot]!
    const key = `${view.kind} ${view.slot} ${firstMs}`
    const known = this.#subjects.get(key)
    if (known !== undefined) return known
    this.#subjects.set(key, this.#subjects.size)
    return this.#subjects.size - 1
  }

  #write(): void {
    writeSync(this.#file, this.#rows.subarray(0, this.#held * rowFloats))
    this.#held = 0
  }
}
