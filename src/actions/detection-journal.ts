/** Which detections are live, on disk. Main thread. */
import type { DurableLog } from '../log/durable-log.ts'
import { KeyedJournal } from '../log/keyed-journal.ts'
import { type Detection, fromEntry, isActive, toEntry } from './detection.ts'

export class DetectionJournal extends KeyedJournal<Detection> {
  constructor(log: DurableLog) {
    super(log, { keyOf: ({ id }) => id, isKept: isActive, toEntry, fromEntry })
  }
}
