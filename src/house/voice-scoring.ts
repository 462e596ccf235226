/** Recordings that the API judges: their thread, and the route over it. Main thread. */
import type { VoiceScores } from '../api/voice-scores.ts'
import type { Config } from '../config/schema.ts'
import type { Metrics } from '../core/metrics.ts'
import { ScoreThread, type ScoringModel } from '../worker/score-thread.ts'

export interface VoiceScoring {
  readonly parts: VoiceScores
  stop(): Promise<void>
}

export interface VoiceScoringRooms {
  readonly config: Config
  readonly metrics: Metrics
  readonly active: () => ScoringModel
}

export function openVoiceScoring({ config, metrics, active }: VoiceScoringRooms): VoiceScoring {
  const { voice } = config.detection
  const thread = new ScoreThread({ voice, active, counters: metrics.counters })
  metrics.gauge('voice_scores_waiting', 'Recordings of the API under way or in line', () => thread.waiting)
  return {
    parts: {
      score: (name, body) => thread.score(name, body),
      bodyBytesMax: voice.scoring.bodyBytesMax,
    },
    stop: () => thread.stop(),
  }
}
