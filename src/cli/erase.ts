/**
 * `erase --number`: a number is forgotten everywhere, by the running server or, when none runs, here. Prints what was
 * found where, in rows. Exit code 0: it is nowhere any more.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ErasureView } from '../api/erasures.ts'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { silentLog } from '../core/log.ts'
import { openCold } from '../house/cold.ts'
import { isServerRunning, withServer } from './running-server.ts'
import { type ExitCode, type Terminal, table } from './terminal.ts'

export interface EraseContext {
  readonly config: Config
  readonly clock: Clock
  readonly terminal: Terminal
}

export interface EraseOptions {
  readonly number: string
  readonly url?: string
  readonly json: boolean
}

const pollMs = 500
const shape = /^\+?[1-9]\d{6,14}$/

export async function erase(context: EraseContext, { number, url, json }: EraseOptions): Promise<ExitCode> {
  const { config, terminal } = context
  if (!shape.test(number)) {
    terminal.remark('error: --number must be E.164: digits with the country code, + before them or not')
    return 2
  }
  terminal.progress('erasing')
  const report = isServerRunning(config)
    ? await eraseThere(context, number, url)
    : await eraseHere(context, number.replace('+', ''))
  terminal.progress('')
  if (json) terminal.print(JSON.stringify(report))
  else tell(report, terminal)
  return report.state === 'done' ? 0 : 1
}

async function eraseThere(context: EraseContext, number: string, url: string | undefined): Promise<ErasureView> {
  return withServer(context, url, async (server) => {
    let report = (await server.ask('POST', '/v1/erase', { number })) as ErasureView
    while (report.finishedAt === null) {
      await sleep(pollMs)
      report = (await server.ask('GET', `/v1/erasures/${report.id}`)) as ErasureView
    }
    return report
  })
}

async function eraseHere({ config, clock }: EraseContext, digits: string): Promise<ErasureView> {
  const cold = await openCold({ config, clock, log: silentLog })
  try {
    const { report, finished } = cold.keeping.erasures.begin(digits, 'command line')
    cold.note('number.erase', `erasure:${report.id}`, 'begun')
    await finished
    cold.note('number.erase', `erasure:${report.id}`, report.state)
    return report
  } finally {
    await cold.close()
  }
}

function tell(report: ErasureView, terminal: Terminal): void {
  const { tables, logs, files, memory, recordings, leftInConfiguration } = report
  const searched = tables.map(({ table: name, rowsBefore, rowsAfter }) => [
    `table ${name}`,
    `${rowsBefore} rows`,
    `${rowsAfter} left`,
  ])
  const entries = Object.entries(logs).map(([name, count]) => [`log ${name}`, `${count} entries`, '0 left'])
  for (const line of table(['where', 'found', 'now'], [...searched, ...entries])) terminal.print(line)
  for (const { file, result } of files) terminal.print(`${file}: ${result}`)
  const { cases, liveTracks, events } = memory
  terminal.print(`memory: ${cases} cases, ${liveTracks} live tracks, ${events} events`)
  if (recordings === null) terminal.remark('kept audio was not searched: that needs the running server')
  else terminal.print(`kept audio: ${recordings} calls erased`)
  for (const place of leftInConfiguration) {
    terminal.remark(`the number stands in ${place}, written there by an operator; it is not changed`)
  }
  if (report.problem !== null) terminal.remark(`error: ${report.problem}; ask again`)
  terminal.print(`${report.id}: ${report.state}; report in erasures/${report.id}.json of the data directory`)
}
