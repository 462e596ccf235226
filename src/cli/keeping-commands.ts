/** `migrate`, `backup`, `restore`, `erase` and their options; part of the command line in cli.ts. */
import type { Command } from 'commander'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import type { ExitCode, Terminal } from './terminal.ts'

export interface KeepingCommands {
  readonly leaf: (usage: string, description: string) => Command
  readonly contextOf: (options: { config?: string }) => { config: Config; clock: Clock; terminal: Terminal }
  /** With the option --url. */
  readonly leafBeside: (usage: string, description: string) => Command
  readonly ended: (exitCode: ExitCode) => void
}

interface Common {
  readonly config?: string
  readonly url?: string
}

export function addKeeping({ leaf, leafBeside, contextOf, ended }: KeepingCommands): void {
  leaf('migrate', 'bring the tables to this version').action(async (options: Common) => {
    const { migrateTables } = await import('./migrate.ts')
    ended(await migrateTables(contextOf(options)))
  })
  leafBeside('backup <dir>', 'log and tables as they stand at one moment, also beside a running server').action(
    async (dir: string, options: Common) => {
      const { backup } = await import('./backup.ts')
      ended(await backup(contextOf(options), dir, options.url))
    },
  )
  leaf('restore <dir>', 'put a backup back, while no server runs')
    .option('--replace', 'delete what is there first')
    .option(
      '--erasures <dir...>',
      'copies of dataDir/erasures of a machine that is lost: what was erased there stays so',
    )
    .action(async (dir: string, options: Common & { replace?: boolean; erasures?: string[] }) => {
      const { restore } = await import('./restore.ts')
      const { replace = false, erasures = [] } = options
      ended(await restore(contextOf(options), dir, { replace, erasures }))
    })
  leafBeside('erase', 'forget a number: tables, log, cases, memory; also beside a running server')
    .requiredOption('--number <e164>', 'with its country code')
    .option('--json', 'the report as one JSON object')
    .action(async (options: Common & { number: string; json?: boolean }) => {
      const { erase } = await import('./erase.ts')
      const { number, url: at, json = false } = options
      ended(await erase(contextOf(options), { number, ...(at === undefined ? {} : { url: at }), json }))
    })
}
