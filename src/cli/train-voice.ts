/**
 * `voicefw train voice [--prepare]`: from packages to a registered model, step by step as training/steps.yaml says.
 * Programs, Python's packages and disk are looked at before anything is made. What is done is written down after each
 * step: a run that was stopped goes on where it was. Each step has a log of its own. Main thread of the command; the
 * work is done by child processes.
 *
 *     steps.yaml + recipe.yaml -> plan -> [step: done? skip : run, log, note it] ... -> models/voice/VERSION, checked
 */
import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, mkdirSync, readFileSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { z } from 'zod'
import type { Clock } from '../core/clock.ts'
import { projectRoot } from '../core/project.ts'
import { writeWholeFile } from '../core/whole-file.ts'
import { loadDetector } from '../inference/load-detector.ts'
import { loadVoiceModel, modelLabel } from '../inference/model-file.ts'
import { runProgram } from './child-program.ts'
import { type ExitCode, progressBar, type Terminal, timeText } from './terminal.ts'
import { missingInPython } from './train-flash-call.ts'
import { type PlannedStep, planOf, type TrainingNeeds } from './training-steps.ts'

export interface TrainVoiceOptions {
  /** Banks, packs, checkpoints, logs; many GB. */
  readonly work: string
  /** Only the data. */
  readonly prepare: boolean
  /** Run steps that are done once more, from the one whose name begins so. */
  readonly from?: string
  readonly recipe: string
  readonly steps: string
  readonly models: string
  readonly python: string
  readonly clock: Clock
  readonly terminal: Terminal
}

const trainingFolder = join(projectRoot, 'training')
export const shippedVoiceRecipe = join(trainingFolder, 'recipe.yaml')
export const shippedVoiceSteps = join(trainingFolder, 'steps.yaml')

const doneSchema = z.record(z.string(), z.string())
/** Lines shown of a step that failed. */
const linesShown = 12

export async function trainVoice(given: TrainVoiceOptions): Promise<ExitCode> {
  const options = { ...given, work: resolve(given.work), recipe: resolve(given.recipe), models: resolve(given.models) }
  const { work, recipe, models, terminal } = options
  const plan = planOf(options.steps, { work, recipe, models })
  const steps = plan.steps.filter(({ prepare }) => prepare || !options.prepare)
  const missing = [...missingScripts(steps), ...missingPrograms(steps, plan.needs), ...tooLittleDisk(work, plan.needs)]
  const python = await missingInPython(options.python, plan.needs.python)
  if (python !== null) missing.push(python)
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

class StepRun {
  readonly #steps: readonly PlannedStep[]
  readonly #options: TrainVoiceOptions
  readonly #stateFile: string
  readonly #done: Record<string, string>
  readonly #beganMs: number
  /** Minutes by the plan: of steps that were run, and of those to come. */
  #ranMinutes = 0
  #aheadMinutes: number

  constructor(steps: readonly PlannedStep[], options: TrainVoiceOptions) {
    this.#steps = steps
    this.#options = options
    this.#stateFile = join(options.work, 'steps.json')
    this.#done = existsSync(this.#stateFile) ? doneSchema.parse(JSON.parse(readFileSync(this.#stateFile, 'utf8'))) : {}
    this.#beganMs = options.clock.steadyMs()
    this.#aheadMinutes = 0
  }

  async run(): Promise<ExitCode> {
    const { terminal, from } = this.#options
    const again = from === undefined ? this.#steps.length : this.#steps.findIndex(({ name }) => name.startsWith(from))
    if (again < 0) {
      terminal.remark(`no step begins with "${from}"; they are: ${this.#steps.map(({ name }) => name).join(', ')}`)
      return 1
    }
    const isToDo = (step: PlannedStep, at: number): boolean => at >= again || !this.#isDone(step)
    const toDo = this.#steps.map((step, at) => ({ step, at })).filter(({ step, at }) => isToDo(step, at))
    const skipped = this.#steps.length - toDo.length
    if (skipped > 0) terminal.remark(`${skipped} of ${this.#steps.length} steps are done`)
    this.#aheadMinutes = toDo.reduce((minutes, { step }) => minutes + step.minutes, 0)
    for (const { step, at } of toDo) {
      if (!(await this.#step(step, at))) return 1
      this.#done[step.name] = fingerprint(step)
      writeWholeFile(this.#stateFile, `${JSON.stringify(this.#done, null, 1)}\n`)
      this.#ranMinutes += step.minutes
      this.#aheadMinutes -= step.minutes
    }
    return 0
  }

  #isDone(step: PlannedStep): boolean {
    if (step.makes !== null) return existsSync(step.makes)
    return this.#done[step.name] === fingerprint(step)
  }

  async #step(step: PlannedStep, at: number): Promise<boolean> {
    const { terminal, clock, work } = this.#options
    const log = join(work, 'logs', `${String(at + 1).padStart(2, '0')}-${step.name.replace(/[^\w-]+/g, '-')}.log`)
    writeFileSync(log, '')
    const stepBeganMs = clock.steadyMs()
    terminal.remark(`${at + 1} of ${this.#steps.length}: ${step.name}`)
    let last = ''
    const show = (): void => terminal.progress(this.#progress(step, at, clock.steadyMs() - stepBeganMs, last))
    const ticks = setInterval(show, 1000)
    const heard = (line: string): void => {
      appendFileSync(log, `${line}\n`)
      if (line.trim() !== '') last = line.trim()
      show()
    }
    const printed: string[] = []
    const run = await this.#words(step, heard)
    const code = run === null ? 1 : await this.#program(run, heard, printed)
    clearInterval(ticks)
    terminal.progress('')
    const isMade = step.makes === null || existsSync(step.makes)
    if (code === 0 && isMade) {
      if (step.stdout !== null) writeFileSync(step.stdout, `${printed.join('\n')}\n`)
      return true
    }
    const tail = readFileSync(log, 'utf8').trim().split('\n').slice(-linesShown)
    for (const line of tail) terminal.remark(`  ${line}`)
    const why = code === 0 ? `did not make ${step.makes}` : 'failed'
    terminal.remark(`${step.name} ${why}; all it said is in ${log}. The same command goes on from here.`)
    return false
  }

  /** The step's words, with what its question was answered; null: that failed. */
  async #words(step: PlannedStep, heard: Heard): Promise<readonly string[] | null> {
    if (step.ask === null) return step.run
    const said: string[] = []
    const code = await this.#program(step.ask, heard, said)
    return code === 0 ? step.run.map((word) => word.replaceAll('{ask}', said.join('\n').trim())) : null
  }

  /** @param printed what it writes to stdout, line by line */
  async #program(run: readonly string[], heard: Heard, printed: string[]): Promise<number | null> {
    const [program = '', ...rest] = run
    const onLine = (line: string, from: 'stdout' | 'stderr'): void => {
      heard(line)
      if (from === 'stdout') printed.push(line)
    }
    const command = { python: this.#options.python, node: process.execPath }[program] ?? program
    const folder = program === 'node' ? projectRoot : trainingFolder
    const { code, output } = await runProgram(command, rest, onLine, folder)
    if (code === null) heard(output)
    return code
  }

  /** Time left by the plan, corrected by how long the steps so far really took. */
  #progress(step: PlannedStep, at: number, stepMs: number, last: string): string {
    const ran = this.#ranMinutes + Math.min(step.minutes, stepMs / 60_000)
    const elapsed = (this.#options.clock.steadyMs() - this.#beganMs) / 60_000
    const pace = this.#ranMinutes > 0 ? elapsed / ran : 1
    const ahead = Math.max(0, this.#aheadMinutes - Math.min(step.minutes, stepMs / 60_000))
    const bar = progressBar(ran / (this.#ranMinutes + this.#aheadMinutes))
    return `${bar} ${at + 1} of ${this.#steps.length}, about ${timeText(ahead * pace * 60)} left: ${step.name}: ${last}`
  }
}

type Heard = (line: string) => void

function fingerprint({ run, ask }: PlannedStep): string {
  return createHash('sha256')
    .update(JSON.stringify([run, ask]))
    .digest('hex')
    .slice(0, 16)
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
