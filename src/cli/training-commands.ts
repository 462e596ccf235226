/** The `evaluate` and `train` commands with their options; what they do is loaded only when one runs. */
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { modelsDirectory } from '../inference/model-registry.ts'
import type { ExitCode, Terminal } from './terminal.ts'

interface CommonOptions {
  readonly config?: string
}

export interface TrainingCommandLine {
  /** A command with the options every command has. */
  readonly leaf: (parent: Command, usage: string, description: string) => Command
  readonly configOf: (options: CommonOptions) => Config
  readonly clock: Clock
  readonly terminal: Terminal
  readonly exit: (code: ExitCode) => void
}

export function addTrainingCommands(program: Command, line: TrainingCommandLine): void {
  const evaluate = program.command('evaluate').description('how good detection is, on labelled data')
  evaluateVoiceCommand(evaluate, line)
  evaluateFlashCallCommand(evaluate, line)
  const train = program.command('train').description('new model versions; needs Python, see training/README.md')
  trainVoiceCommand(train, line)
  trainFlashCallCommand(train, line)
}

interface EvaluateVoiceFlags extends CommonOptions {
  readonly manifest: string
  readonly out?: string
  readonly model?: string
  readonly by: readonly string[]
  readonly rounds: number
  readonly json?: boolean
}

function evaluateVoiceCommand(evaluate: Command, line: TrainingCommandLine): void {
  const { leaf, configOf, clock, terminal, exit } = line
  leaf(evaluate, 'voice', 'verdicts on labelled recordings: errors, false alarms, labels, with intervals')
    .requiredOption('--manifest <file>', 'CSV with columns path,label,speaker,system; also condition, language, others')
    .option('--out <folder>', 'write the page of the model version, its plots and the report there')
    .option('--model <folder>', 'a model version; default: the active one')
    .option('--by <column...>', 'more columns to report by', [])
    .option('--rounds <n>', 'draws of each interval, 200 by default', countOf(10_000), 200)
    .option('--json', 'one JSON object')
    .addHelpText(
      'after',
      '\nPaths are relative to the list; label is bonafide or spoof. A wrong row is told and left out.',
    )
    .action(async (options: EvaluateVoiceFlags) => {
      const { evaluateVoice } = await import('./evaluate-voice.ts')
      const { json = false, ...rest } = options
      const { detection, models } = configOf(options)
      const modelsDir = modelsDirectory(models.directory)
      exit(await evaluateVoice({ ...rest, json, modelsDir, voice: detection.voice, clock, terminal }))
    })
}

const countOf =
  (most: number) =>
  (text: string): number => {
    const value = Number(text)
    if (Number.isInteger(value) && value >= 1 && value <= most) return value
    throw new InvalidArgumentError(`must be a whole number from 1 to ${most}.`)
  }

interface EvaluateFlags extends CommonOptions {
  readonly data: string
  readonly labels: string
  readonly source: string
  readonly scorer?: string
  readonly json?: boolean
}

function evaluateFlashCallCommand(evaluate: Command, line: TrainingCommandLine): void {
  const { leaf, configOf, clock, terminal, exit } = line
  leaf(evaluate, 'flash-call', 'cases of every kind against the labels of their calls')
    .requiredOption('--data <file>', 'call records, as --source reads them')
    .requiredOption('--labels <file>', 'CSV with columns id,label,campaign, as `simulate cdr --out` writes it')
    .option('--source <name>', 'a mapping of configs/sources, or the path of your own', 'canonical')
    .option('--scorer <what>', 'rule, or the folder of a model version; default: the active model')
    .option('--json', 'one JSON object')
    .action(async (options: EvaluateFlags) => {
      const { evaluateFlashCall } = await import('./evaluate-flash-call.ts')
      const { json = false, ...rest } = options
      exit(await evaluateFlashCall({ ...rest, json, cdr: configOf(options).cdr, clock, terminal }))
    })
}

interface TrainFlags extends CommonOptions {
  readonly recipe?: string
  readonly python: string
}

/** Steps run in folders of their own, so a path is made whole here; a bare name is looked up in PATH. */
const pythonOption = (needs: string): Option =>
  new Option('--python <command>', `a Python 3 with ${needs}`)
    .default('python3')
    .argParser((command) => (command.includes('/') ? resolve(command) : command))

interface TrainVoiceFlags extends TrainFlags {
  readonly work?: string
  readonly prepare?: boolean
  readonly from?: string
  readonly steps?: string
  readonly models?: string
  readonly sideBySide: number
}

function trainVoiceCommand(train: Command, line: TrainingCommandLine): void {
  const { leaf, configOf, clock, terminal, exit } = line
  leaf(train, 'voice', 'all steps from packages to a model among models/; goes on where it was stopped')
    .option('--work <folder>', 'for recordings, features, checkpoints and logs, about 15 GB; default: dataDir/training')
    .option('--prepare', 'only make the data')
    .option('--from <step>', 'run again from this step on, done or not')
    .option('--recipe <file>', 'default: training/recipe.yaml')
    .option('--steps <file>', 'default: training/steps.yaml')
    .option('--models <folder>', 'where the version goes; default: as configured')
    .option(
      '--side-by-side <n>',
      'steps that may run at once; default: one a core',
      countOf(64),
      availableParallelism(),
    )
    .addOption(pythonOption('what training/README.md says'))
    .action(async (options: TrainVoiceFlags) => {
      const { shippedVoiceRecipe, shippedVoiceSteps, trainVoice } = await import('./train-voice.ts')
      const { recipe = shippedVoiceRecipe, steps = shippedVoiceSteps, prepare = false, ...rest } = options
      const config = configOf(options)
      const { models = modelsDirectory(config.models.directory), work = join(config.dataDir, 'training') } = options
      exit(await trainVoice({ ...rest, work, prepare, recipe, steps, models, clock, terminal }))
    })
}

interface TrainFlashCallFlags extends TrainFlags {
  readonly out: string
  readonly heldOut: boolean
  readonly from?: string
}

function trainFlashCallCommand(train: Command, line: TrainingCommandLine): void {
  const { leaf, configOf, clock, terminal, exit } = line
  leaf(train, 'flash-call', 'simulate, dump features, train, judge on held-out traffic, write the manifest')
    .requiredOption('--out <folder>', 'where the version and the work files go')
    .option('--recipe <file>', 'default: training/flash_call/recipe.yaml')
    .addOption(pythonOption('torch, numpy, onnx, onnxruntime and yaml'))
    .addOption(
      new Option('--from <store>', 'learn also from cases that people confirmed or dismissed').choices(['clickhouse']),
    )
    .option('--no-held-out', 'do not judge it, which takes longest; the manifest then lacks these figures')
    .action(async (options: TrainFlashCallFlags) => {
      const { shippedRecipe, trainFlashCall } = await import('./train-flash-call.ts')
      const { recipe = shippedRecipe, out, python, heldOut, from } = options
      const config = configOf(options)
      const { readJudged } = await import('./judged-part.ts')
      const judged = from === undefined ? null : () => readJudged(config)
      const { cdr } = config
      exit(await trainFlashCall({ out, recipe, python, heldOut, judged, cdr, clock, terminal }))
    })
}
