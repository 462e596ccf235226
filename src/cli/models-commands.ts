/** The `models` commands and their options; what they do stands in models.ts, loaded only when one runs. */
import type { Command } from 'commander'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import type { ModelsContext } from './models.ts'
import type { ExitCode, Terminal } from './terminal.ts'

/** Options of every command. */
export interface CommonOptions {
  readonly config?: string
}

type Options = CommonOptions & { readonly json?: boolean }

export interface CommandLine {
  readonly leaf: (parent: Command, usage: string, description: string) => Command
  readonly configOf: (options: CommonOptions) => Config
  readonly clock: Clock
  readonly terminal: Terminal
  readonly exit: (code: ExitCode) => void
}

export function addModelsCommands(program: Command, line: CommandLine): void {
  const models = program.command('models').description('versions of models: what judges, and what is tried beside it')
  const { leaf, exit } = line
  const commands = () => import('./models.ts')
  const context = (options: CommonOptions): ModelsContext => ({ ...line, config: line.configOf(options) })
  const told = ({ json = false }: Options) => ({ json })
  leaf(models, 'list', 'every version, and how it stands')
    .option('--json', 'one JSON array')
    .action(async (options: Options) => exit((await commands()).listModels(context(options), told(options))))
  leaf(models, 'show <name> [version]', 'what a version is; the active one unless told otherwise')
    .option('--json', 'one JSON object')
    .action(async (name: string, version: string | undefined, options: Options) => {
      exit((await commands()).showModel(context(options), name, version, told(options)))
    })
  leaf(models, 'verify [name] [version]', 'manifest, sha256, and a run over made-up input; all versions by default')
    .option('--json', 'one JSON object a version')
    .action(async (name: string | undefined, version: string | undefined, options: Options) => {
      exit(await (await commands()).verifyModels(context(options), name, version, told(options)))
    })
  leaf(models, 'activate <name> <version>', 'verify it, then new calls are judged by it; live ones keep theirs').action(
    async (name: string, version: string, options: CommonOptions) => {
      exit(await (await commands()).activateModel(context(options), name, version))
    },
  )
  leaf(models, 'rollback <name>', 'back to the version before').action(async (name: string, options: CommonOptions) => {
    exit(await (await commands()).rollbackModel(context(options), name))
  })
  leaf(models, 'candidate <name> <version>', 'try a version beside the active one; `none` ends it').action(
    async (name: string, version: string, options: CommonOptions) => {
      exit(await (await commands()).tryModel(context(options), name, version === 'none' ? null : version))
    },
  )
}
