/**
 * `voicefw train voice [--prepare]`: from packages to a registered model, step by step as training/steps.yaml says.
 * Programs, Python's packages and disk are looked at before anything is made. Main thread of the command; the work is
 * done by child processes (training-run.ts).
 *
 *     steps.yaml + recipe.yaml -> plan -> [step: done? skip : run, log, note it] ... -> models/voice/VERSION, checked
 */
import { existsSync, mkdirSync, statfsSync, statSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { projectRoot } from '../core/project.ts'
import { loadDetector } from '../inference/load-detector.ts'
import { loadVoiceModel, modelLabel } from '../inference/model-file.ts'
import { runProgram } from './child-program.ts'
import type { ExitCode, Terminal } from './terminal.ts'
import { missingInPython } from './train-flash-call.ts'
import { StepRun, type StepRunOptions, trainingFolder } from './training-run.ts'
import { type PlannedStep, planOf, type TrainingNeeds } from './training-steps.ts'

/** `work` holds banks, packs, checkpoints, logs; many GB. */
export interface TrainVoiceOptions extends StepRunOptions {
  /** Only the data. */
  readonly prepare: boolean
  readonly recipe: string
  readonly steps: string
  readonly models: string
}

export const shippedVoiceRecipe = join(trainingFolder, 'recipe.yaml')
export const shippedVoiceSteps = join(trainingFolder, 'steps.yaml')

export async function trainVoice(given: TrainVoiceOptions): Promise<ExitCode> {
  const options = { ...given, work: resolve(given.work), recipe: resolve(given.recipe), models: resolve(given.models) }
  const { work, recipe, models, terminal } = options
  const plan = planOf(options.steps, { work, recipe, models })
  const steps = plan.steps.filter(({ prepare }) => prepare || !options.prepare)
  const missing = [...missingScripts(steps), ...missingPrograms(steps, plan.needs), ...tooLittleDisk(work, plan.needs)]
  const python = await missingInPython(options.python, plan.needs.python)
  missing.push(...(python === null ? await missingLibraries(options.python, steps, plan.needs) : [python]))
  if (missing.length > 0) {
    for (const problem of missing) terminal.remark(problem)
    return 1
  }
  mkdirSync(join(work, 'logs'), { recursive: true })
  const code = await new StepRun(steps, options).run()
  if (code !== 0 || options.prepare) return code
  return registered(join(models, 'voice', plan.version), terminal)
}

/** Steps name scripts of training/ or programs of ours. */
function missingScripts(steps: readonly PlannedStep[]): string[] {
  const scripts = new Set(steps.flatMap(({ run, ask }) => [run, ask ?? []]).map(scriptOf))
  return [...scripts].filter((path) => path !== null && !existsSync(path)).map((path) => `${path} is missing`)
}

function scriptOf([program, script = '']: readonly string[]): string | null {
  if (program === 'python') return join(trainingFolder, script)
  return program === 'node' ? join(projectRoot, script) : null
}

function missingPrograms(steps: readonly PlannedStep[], { programs }: TrainingNeeds): string[] {
  // Programs make data; a training on data that is there needs none.
  if (!steps.some(({ prepare }) => prepare)) return []
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return programs
    .filter((name) => !folders.some((folder) => existsSync(join(folder, name))))
    .map((name) => `the program ${name} is not there; see training/README.md`)
}

/** As Python finds them; like programs, they only make data. */
async function missingLibraries(
  python: string,
  steps: readonly PlannedStep[],
  { libraries }: TrainingNeeds,
): Promise<string[]> {
  if (libraries.length === 0 || !steps.some(({ prepare }) => prepare)) return []
  const code =
    'import ctypes, sys\n' +
    'for name in sys.argv[1:]:\n' +
    '    try: ctypes.CDLL(name)\n' +
    '    except OSError: print(name)'
  const names: string[] = []
  await runProgram(python, ['-c', code, ...libraries], (line, from) => {
    if (from === 'stdout') names.push(line)
  })
  return names.map((name) => `the library ${name} is not there; see training/README.md`)
}

/** The nearest folder that exists tells how much is free. */
function tooLittleDisk(work: string, { diskGB }: TrainingNeeds): string[] {
  let folder = work
  // What is there already counts.
  if (existsSync(join(work, 'bank'))) return []
  while (!existsSync(folder)) folder = join(folder, '..')
  const { bavail, bsize } = statfsSync(folder)
  const freeGB = (bavail * bsize) / 1e9
  return freeGB >= diskGB ? [] : [`${work}: ${freeGB.toFixed(1)} GB free, the steps need about ${diskGB}`]
}

/** The version stands among the models, its sha256 is the manifest's, and it runs. */
async function registered(dir: string, terminal: Terminal): Promise<ExitCode> {
  const model = loadVoiceModel(dir)
  const detector = await loadDetector(model, { batchMax: 4 })
  await detector.run(4)
  await detector.release()
  const kB = Math.round(statSync(join(dir, model.manifest.file)).size / 1000)
  terminal.print(`${modelLabel(model.manifest)}: ${kB} kB, ${model.manifest.parameters} parameters, checked: ${dir}`)
  terminal.remark(`voicefw models activate ${model.manifest.name} ${model.manifest.version} makes it judge new calls`)
  return 0
}
