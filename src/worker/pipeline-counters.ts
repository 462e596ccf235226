/** What a voice pipeline, and the detector in it, count: crosses threads as increments, in this order. Pure. */
import type { Counters } from '../core/metrics.ts'
import { secondStageCounterNames } from './second-stage.ts'

/** What the pipeline counts, in the metrics table's words. */
export const pipelineCounterNames = [
  'audioDuplicate',
  'audioRegressed',
  'audioStray',
  'audioUndecodable',
  'audioFilledMs',
  'audioLostMs',
  'hopsClosed',
  'hopsScored',
  'hopsUnfamiliar',
  'inferenceRuns',
  ...secondStageCounterNames,
] as const satisfies readonly (keyof Counters)[]

export type PipelineCounters = Pick<Counters, (typeof pipelineCounterNames)[number]>
