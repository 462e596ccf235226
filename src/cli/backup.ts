/**
 * `backup DIR`: the durable log and all tables as they stand at one moment, by the running server or, when none runs,
 * here. Prints the rows of each table. A backup that is cut off has no manifest.json.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BackupView } from '../api/backups.ts'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { silentLog } from '../core/log.ts'
import { proofName } from '../house/backups.ts'
import { openCold } from '../house/cold.ts'
import { checkEmpty } from '../storage/backup-files.ts'
import { isServerRunning, withServer } from './running-server.ts'
import { type ExitCode, progressText, type Terminal, table } from './terminal.ts'

export interface BackupContext {
  readonly config: Config
  readonly clock: Clock
  readonly terminal: Terminal
}

const pollMs = 200

/** @throws OperatingError conflict: the directory holds something */
export async function backup(context: BackupContext, path: string, url: string | undefined): Promise<ExitCode> {
  const { config, clock, terminal } = context
  const directory = resolve(path)
  checkEmpty(directory)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const sinceMs = clock.steadyMs()
  const told = (state: BackupView): void => {
    const elapsedMs = clock.steadyMs() - sinceMs
    if (state.state === 'running') {
      terminal.progress(`${state.table ?? 'log'} ${progressText(state.rows, state.rowsTotal, elapsedMs)}`)
    }
  }
  const state = isServerRunning(config)
    ? await backUpThere(context, directory, url, told)
    : await backUpHere(context, directory, told)
  terminal.progress('')
  if (state.state !== 'done') {
    terminal.remark(`error: ${state.problem ?? 'the backup did not begin'}; what is in ${directory} is incomplete`)
    return 1
  }
  for (const line of table(
    ['table', 'rows'],
    state.tables.map((each) => [each.table, String(each.rows)]),
  )) {
    terminal.print(line)
  }
  terminal.print(`${state.rows} rows and the durable log are in ${directory}`)
  return 0
}

type Told = (state: BackupView) => void

async function backUpThere(
  context: BackupContext,
  directory: string,
  url: string | undefined,
  told: Told,
): Promise<BackupView> {
  const proof = randomBytes(16).toString('hex')
  writeFileSync(`${directory}/${proofName}`, proof, { mode: 0o600 })
  return withServer(context, url, async (server) => {
    let state = (await server.ask('POST', '/v1/backups', { directory, proof })) as BackupView
    while (state.state === 'running') {
      told(state)
      await sleep(pollMs)
      state = (await server.ask('GET', '/v1/backups')) as BackupView
    }
    return state
  })
}

async function backUpHere({ config, clock }: BackupContext, directory: string, told: Told): Promise<BackupView> {
  const cold = await openCold({ config, clock, log: silentLog })
  const { backups } = cold.keeping
  const timer = setInterval(() => told(backups.state), pollMs)
  try {
    cold.note('backup.write', directory, 'begun')
    const state = await backups.begin(directory)
    cold.note('backup.write', directory, state.state)
    return state
  } finally {
    clearInterval(timer)
    await cold.close()
  }
}
