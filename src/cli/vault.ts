/**
 * `vault status | rotate`: the vault of numbers in mode `privacy.numbers: tokens`. Rotate makes a new master key and
 * wraps the key of every number anew: by itself when no server runs, else the server does it within seconds and the
 * command waits. With `--destroy-old` the masters before it are then destroyed, so that what they wrapped in older
 * copies of the data (backups, pages that the database has not used again) can be opened by nobody.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import { silentLog } from '../core/log.ts'
import { zeroCounters } from '../core/metrics.ts'
import { vaultKeyFile, vaultTable } from '../house/privacy.ts'
import { LogEnvironment } from '../log/log-environment.ts'
import { readTable } from '../log/table-reader.ts'
import { isMark, masterOf, NumberVault } from '../privacy/number-vault.ts'
import { VaultKeys } from '../privacy/vault-keys.ts'
import { type ExitCode, type Terminal, table } from './terminal.ts'

export interface VaultContext {
  readonly config: Config
  readonly clock: Clock
  readonly terminal: Terminal
}

const rewrapEntriesMax = 1000
/** A running server is given so long to wrap everything anew. */
const waitMsMax = 600_000
const lookMs = 500

export async function vaultStatus({ config, terminal }: VaultContext, json: boolean): Promise<ExitCode> {
  const keys = VaultKeys.read(vaultKeyFile(config))
  const counts = await countsOf(config)
  const masters = keys.masters.map(({ id, createdAt }) => ({ id, createdAt, numbers: counts.get(id) ?? 0 }))
  const known = masters.reduce((sum, { numbers }) => sum + numbers, 0)
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
  const lost = total - known
  if (json) terminal.print(JSON.stringify({ numbers: total, lost, masters }))
  else {
    const rows = masters.map(({ id, createdAt, numbers }) => [id, createdAt, String(numbers)])
    for (const line of table(['master', 'created', 'numbers'], rows)) terminal.print(line)
    if (lost > 0) terminal.print(`${lost} numbers are wrapped by masters that are gone: they cannot be read`)
  }
  return lost > 0 ? 1 : 0
}

export async function rotateVault(context: VaultContext, destroyOld: boolean): Promise<ExitCode> {
  const { config, clock, terminal } = context
  const file = vaultKeyFile(config)
  const id = VaultKeys.addMaster(file, clock.wallMs())
  terminal.remark(`master ${id} wraps from now on; wrapping the numbers anew`)
  if (!(await rewrapAlone(config))) await serverRewraps(config, id)
  if (destroyOld) terminal.remark(`${VaultKeys.dropOldMasters(file)} older masters destroyed`)
  terminal.print(`rotated to ${id}`)
  return 0
}

/** Numbers by the master that wraps them. */
async function countsOf(config: Config): Promise<Map<string, number>> {
  const counts = new Map<string, number>()
  await readTable(`${config.dataDir}/spool`, vaultTable, (key, value) => {
    if (isMark(key)) return
    const master = masterOf(value)
    counts.set(master, (counts.get(master) ?? 0) + 1)
  })
  return counts
}

/** False: a server has the data. */
async function rewrapAlone(config: Config): Promise<boolean> {
  const counters = zeroCounters()
  let logs: LogEnvironment
  try {
    logs = LogEnvironment.open({ directory: `${config.dataDir}/spool`, counters, log: silentLog })
  } catch (thrown) {
    if (thrown instanceof OperatingError && messageOf(thrown).includes('in use by process')) return false
    throw thrown
  }
  try {
    const keys = VaultKeys.read(vaultKeyFile(config))
    const vault = new NumberVault({ table: logs.table(vaultTable), keys, cacheNumbersMax: 1, counters })
    for (let after = await vault.rewrap(null, rewrapEntriesMax); after !== null; ) {
      after = await vault.rewrap(after, rewrapEntriesMax)
    }
    return true
  } finally {
    await logs.close()
  }
}

/** @throws OperatingError config_invalid: the server that has the data does not do it */
async function serverRewraps(config: Config, id: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < waitMsMax; waitedMs += lookMs) {
    await sleep(lookMs)
    const masters = [...(await countsOf(config)).keys()]
    if (masters.every((master) => master === id)) return
  }
  throw new OperatingError(
    'config_invalid',
    'the running server did not wrap all numbers anew; see: voicefw vault status',
  )
}
