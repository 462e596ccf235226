/**
 * Rules that an operator laid over the configured ones at run time, in a file of their own. Whoever changes them names
 * the revision that was read, so that nobody undoes what somebody else did meanwhile. A damaged file stops the start:
 * it may hold the rule that forbids to listen to somebody. Main thread.
 */
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { type DetectionRule, detectionRules } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import { writeWholeFile } from '../core/whole-file.ts'

const fileShape = z.strictObject({
  version: z.literal(1),
  revision: z.number().int().min(0),
  changedAt: z.string().nullable(),
  changedBy: z.string().nullable(),
  rules: detectionRules,
})

export type RuleOverrideState = Omit<z.infer<typeof fileShape>, 'version'>

export class RuleOverrides {
  readonly #file: string
  readonly #clock: Clock
  readonly #named: (rules: DetectionRule[]) => DetectionRule[]
  readonly #changed: (rules: readonly DetectionRule[]) => void
  #state: RuleOverrideState

  /** @throws OperatingError config_invalid: the file is there and cannot be read */
  constructor(options: {
    file: string
    clock: Clock
    /** The rules with numbers as calls have them. */
    named: (rules: DetectionRule[]) => DetectionRule[]
    changed: (rules: readonly DetectionRule[]) => void
  }) {
    this.#file = options.file
    this.#clock = options.clock
    this.#named = options.named
    this.#changed = options.changed
    const state = readState(options.file)
    this.#state = { ...state, rules: options.named(state.rules) }
    this.#changed(this.#state.rules)
  }

  get state(): RuleOverrideState {
    return this.#state
  }

  /** On disk when it returns. @throws OperatingError conflict: not the revision that is in force */
  replace(given: DetectionRule[], revision: number, changedBy: string): RuleOverrideState {
    if (revision !== this.#state.revision) {
      throw new OperatingError('conflict', `revision ${this.#state.revision} is in force, not ${revision}; read again`)
    }
    const rules = this.#named(given)
    const changedAt = new Date(this.#clock.wallMs()).toISOString()
    const state = { revision: revision + 1, changedAt, changedBy, rules }
    try {
      writeWholeFile(this.#file, `${JSON.stringify({ version: 1, ...state }, null, 2)}\n`)
    } catch (thrown) {
      throw new OperatingError('spool_full', `the rules cannot be written: ${messageOf(thrown)}`)
    }
    this.#state = state
    this.#changed(rules)
    return state
  }
}

function readState(file: string): RuleOverrideState {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') {
      return { revision: 0, changedAt: null, changedBy: null, rules: [] }
    }
    throw new OperatingError('config_invalid', `${file} cannot be read: ${messageOf(thrown)}`)
  }
  try {
    const { version: _, ...state } = fileShape.parse(JSON.parse(text))
    return state
  } catch {
    throw new OperatingError('config_invalid', `${file} is damaged; restore it, or remove it and lay the rules anew`)
  }
}
