/**
 * Phone numbers in mode `clear` or `tokens`: the doors that records and calls pass, the vault behind them, its key file
 * watched, and the configuration with the numbers in its lists by name. Main thread.
 */
import { existsSync } from 'node:fs'
import type { Config, DetectionRule } from '../config/schema.ts'
import { messageOf } from '../core/errors.ts'
import type { Metrics } from '../core/metrics.ts'
import { stampOf } from '../core/whole-file.ts'
import type { LogEnvironment } from '../log/log-environment.ts'
import { hidingDoors, type NumberDoors, openDoors } from '../privacy/number-doors.ts'
import { clearNumbers, type NumberForms, NumberVault } from '../privacy/number-vault.ts'
import { VaultKeys } from '../privacy/vault-keys.ts'
import type { FirewallOptions } from './options.ts'

/** Numbers whose keys are wrapped anew in one transaction, when a master was added. */
const rewrapEntriesMax = 1000
const tickMs = 1000

export interface Privacy {
  readonly doors: NumberDoors
  /** Null: mode clear, and there never was another. */
  readonly vault: NumberVault | null
  readonly forms: NumberForms
  /** The text with the tokens in it in clear; null: numbers are clear as they are. */
  readonly reveal: ((text: string) => string) | null
  /** The configuration as rooms shall have it. */
  readonly config: Config
  stop(): Promise<void>
}

/** Name of the table in the environment of the logs. */
export const vaultTable = 'vault'

export function vaultKeyFile({ privacy, dataDir }: Pick<Config, 'privacy' | 'dataDir'>): string {
  return privacy.keyFile ?? `${dataDir}/vault-keys.json`
}

/** @throws OperatingError config_invalid: the key file is missing, damaged, or of another vault */
export function openPrivacy({ config, clock, log }: FirewallOptions, logs: LogEnvironment, metrics: Metrics): Privacy {
  const hides = config.privacy.numbers === 'tokens'
  const file = vaultKeyFile(config)
  const table = logs.table(vaultTable)
  if (!hides && !existsSync(file)) {
    return { doors: openDoors, vault: null, forms: clearNumbers, reveal: null, config, stop: async () => {} }
  }
  // Made only where no number was stored yet: names under a new key would be second names.
  const keys = table.count() > 0 ? VaultKeys.read(file) : VaultKeys.readOrMake(file, clock.wallMs())
  const { cacheNumbersMax, unsavedMax } = config.privacy
  const vault = new NumberVault({ table, keys, cacheNumbersMax, unsavedMax, counters: metrics.counters })
  metrics.gauge('vault_numbers', 'Numbers that are stored encrypted', () => vault.size)
  metrics.gauge('vault_unsaved', 'Entries of the vault that wait for the disk', () => vault.unsaved)
  const upkeep = new VaultUpkeep(vault, file, log)
  const timer = setInterval(() => void upkeep.tick(), tickMs).unref()
  // In mode clear numbers that an earlier mode has named can still be read, found and forgotten.
  const names = { ...clearNumbers, forms: vault.forms.bind(vault), unseal: vault.unseal.bind(vault) }
  const doors = hides ? hidingDoors(vault) : { ...openDoors, names }
  return {
    doors,
    vault,
    forms: vault,
    reveal: (text) => vault.revealIn(text),
    config: hides ? namedConfig(config, doors) : config,
    async stop() {
      clearInterval(timer)
      await vault.flush()
    },
  }
}

/** Writes what waits, and follows the key file: under a new master all keys are wrapped anew, a slice at a time. */
class VaultUpkeep {
  readonly #vault: NumberVault
  readonly #file: string
  readonly #log: FirewallOptions['log']
  /** Of the key file, when all keys were wrapped by its newest master. */
  #stamp = ''
  #running = false

  constructor(vault: NumberVault, file: string, log: FirewallOptions['log']) {
    this.#vault = vault
    this.#file = file
    this.#log = log
  }

  async tick(): Promise<void> {
    if (this.#running) return
    this.#running = true
    try {
      await this.#vault.flush()
      await this.#followKeys()
    } catch (thrown) {
      this.#log.warn('the number vault could not be kept up', { reason: messageOf(thrown) })
    } finally {
      this.#running = false
    }
  }

  async #followKeys(): Promise<void> {
    const stamp = stampOf(this.#file)
    if (stamp === this.#stamp) return
    this.#vault.adopt(VaultKeys.read(this.#file))
    let after: string | null = null
    do after = await this.#vault.rewrap(after, rewrapEntriesMax)
    while (after !== null)
    this.#stamp = stamp
  }
}

/** Rules of detections with their numbers by name. */
export function namedRules(
  rules: readonly DetectionRule[],
  { prefixes }: Pick<NumberDoors, 'prefixes'>,
): DetectionRule[] {
  return rules.map(({ from, to, ...rule }) => ({
    ...rule,
    ...(from === undefined ? {} : { from: prefixes(from) }),
    ...(to === undefined ? {} : { to: prefixes(to) }),
  }))
}

interface WhoLists {
  readonly from?: string[] | undefined
  readonly notFrom?: string[] | undefined
  readonly to?: string[] | undefined
  readonly notTo?: string[] | undefined
}

function namedWho<T extends WhoLists>(who: T, patterns: NumberDoors['patterns']): T {
  const keys = ['from', 'notFrom', 'to', 'notTo'] as const
  const lists = keys.flatMap((key) => (who[key] === undefined ? [] : [[key, patterns(who[key])]]))
  return { ...who, ...Object.fromEntries(lists) }
}

function namedConfig(config: Config, doors: NumberDoors): Config {
  const { detection, cdr, actions } = config
  const { enabled } = detection.voice
  const voice = { ...detection.voice, enabled: { ...enabled, rules: namedRules(enabled.rules, doors) } }
  const policy = { ...cdr.policy, allowNumbers: doors.prefixes(cdr.policy.allowNumbers) }
  const rules = actions.rules.map((rule) => ({ ...rule, when: namedWho(rule.when, doors.patterns) }))
  const exceptions = actions.exceptions.map((exception) => namedWho(exception, doors.patterns))
  return { ...config, detection: { voice }, cdr: { ...cdr, policy }, actions: { ...actions, rules, exceptions } }
}
