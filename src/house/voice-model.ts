/** What judges voices: the active model, a second stage if configured, and what labels are held to. Main thread. */
import type { Config } from '../config/schema.ts'
import { type VerdictSettings, verdictSettings } from '../decisions/voice-verdict.ts'
import { activeModelDir, loadVoiceModel } from '../inference/model-file.ts'
import type { ScoringModel } from '../worker/score-thread.ts'
import { secondStageOf, stagesLabel } from '../worker/staged-detector.ts'

export interface VoiceJudgement extends ScoringModel {
  readonly settings: VerdictSettings
}

/** @throws OperatingError `model_invalid` */
export function loadVoiceJudgement({ detection: { voice } }: Config): VoiceJudgement {
  const model = loadVoiceModel(activeModelDir('voice'))
  const secondStage = secondStageOf(voice, model.manifest)
  const settings = verdictSettings(voice, model.manifest, stagesLabel(model.manifest, secondStage))
  return { model, secondStage, settings }
}
