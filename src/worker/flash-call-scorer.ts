/**
 * Which scorer judges flash calls: the model that models/registry.json names as the active `flash_call`, else the rule;
 * or what a command asks for. Fraud worker, at start; commands.
 */
import { type FlashCallScorer, flashCallRule } from '../decisions/flash-call-rule.ts'
import { FlashCallModel } from '../inference/flash-call-model.ts'
import { judgeMadeUpCalls } from '../inference/model-check.ts'
import { activeModelDir, modelLabel, readRegistry } from '../inference/model-file.ts'

export interface NamedScorer {
  /** `rule`, or the model's name and version. */
  readonly name: string
  readonly scorer: FlashCallScorer
}

/**
 * @param choice `rule`, the folder of a model's version, or nothing: the active model, the rule when there is none
 * @throws OperatingError `model_invalid`
 */
export async function loadFlashCallScorer(choice?: string): Promise<NamedScorer> {
  if (choice === 'rule') return { name: 'rule', scorer: flashCallRule }
  if (choice === undefined && readRegistry()['flash_call'] === undefined) return { name: 'rule', scorer: flashCallRule }
  const dir = choice ?? activeModelDir('flash_call')
  const model = await FlashCallModel.load(dir)
  await judgeMadeUpCalls(model, dir)
  return { name: modelLabel(model.manifest), scorer: model }
}
