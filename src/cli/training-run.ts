/**
 * Runs planned steps: those of one group side by side, groups one after another. What ended well is written down after
 * each, so a run that was stopped goes on where it was. Each step has a log of its own. Main thread of the command; the
 * work is done by child processes.
 *
 *     group 1: [a]   group 2: [b, c, d], two at a time   group 3: [e]
 *     a ---------+ b ------+ d ---+ e -----
 *                + c ---------+   |
 */
import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Clock } from '../core/clock.ts'
import { projectRoot } from '../core/project.ts'
import { writeWholeFile } from '../core/whole-file.ts'
import { runProgram } from './child-program.ts'
import { type ExitCode, progressBar, type Terminal, timeText } from './terminal.ts'
import type { PlannedStep } from './training-steps.ts'

/** Steps run side by side, one a core: a library that took all cores for one of them would slow down both. */
const oneThread = { OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' }

export const trainingFolder = join(projectRoot, 'training')

export interface StepRunOptions {
  readonly work: string
  /** What the steps are told by; one that changes between two runs is told of. */
  readonly recipe: string
  /** Run steps that are done once more, from the one whose name begins so. */
  readonly from?: string
  readonly python: string
  /** Steps of one group that run at the same time. */
  readonly sideBySide: number
  readonly clock: Clock
  readonly terminal: Terminal
}

/** Of each step that is done: its words and the recipe of then, as fingerprints. Once the words' alone were kept. */
const doneStep = z.strictObject({ step: z.string(), recipe: z.string().nullable() })
const doneSchema = z.record(z.string(), z.union([doneStep, z.string().transform((step) => ({ step, recipe: null }))]))
/** Lines shown of a step that failed. */
const linesShown = 12

interface ToDo {
  readonly step: PlannedStep
  /** Its place among all steps, from 0. */
  readonly at: number
}

export class StepRun {
  readonly #steps: readonly PlannedStep[]
  readonly #options: StepRunOptions
  readonly #stateFile: string
  readonly #done: z.infer<typeof doneSchema>
  readonly #recipe: string
  readonly #beganMs: number
  /** Steps that run now, when each began. */
  readonly #running = new Map<PlannedStep, number>()
  /** Minutes by the plan: of steps that were run, and of those that are not done. */
  #ranMinutes = 0
  #aheadMinutes = 0
  #doneCount = 0

  constructor(steps: readonly PlannedStep[], options: StepRunOptions) {
    this.#steps = steps
    this.#options = options
    this.#stateFile = join(options.work, 'steps.json')
    this.#done = existsSync(this.#stateFile) ? doneSchema.parse(JSON.parse(readFileSync(this.#stateFile, 'utf8'))) : {}
    this.#recipe = fingerprint(readFileSync(options.recipe, 'utf8'))
    this.#beganMs = options.clock.steadyMs()
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
    this.#doneCount = this.#steps.length - toDo.length
    if (this.#doneCount > 0) terminal.remark(`${this.#doneCount} of ${this.#steps.length} steps are done`)
    this.#tellOfOldSteps(toDo)
    this.#aheadMinutes = toDo.reduce((minutes, { step }) => minutes + step.minutes, 0)
    for (const group of new Set(toDo.map(({ step }) => step.group))) {
      if (!(await this.#group(toDo.filter(({ step }) => step.group === group)))) return 1
    }
    return 0
  }

  /** A changed recipe may concern any step or none: whoever changed it knows. */
  #tellOfOldSteps(toDo: readonly ToDo[]): void {
    const again = new Set(toDo.map(({ step }) => step))
    const old = this.#steps.filter((step) => {
      const recipe = this.#done[step.name]?.recipe ?? this.#recipe
      return !again.has(step) && recipe !== this.#recipe
    })
    const [first] = old
    if (first === undefined) return
    const mend = `--from "${first.name}" makes them and all after again`
    this.#options.terminal.remark(`${old.length} of them were made before the recipe changed; ${mend}`)
  }

  /** After a failure no other step begins, but those that run end. */
  async #group(group: readonly ToDo[]): Promise<boolean> {
    const waiting = group.values()
    let isGood = true
    const lane = async (): Promise<void> => {
      for (const { step, at } of waiting) {
        if (!isGood) return
        if (await this.#step(step, at)) this.#ended(step)
        else isGood = false
      }
    }
    await Promise.all(Array.from({ length: this.#options.sideBySide }, lane))
    return isGood
  }

  #ended(step: PlannedStep): void {
    this.#done[step.name] = { step: fingerprintOf(step), recipe: this.#recipe }
    writeWholeFile(this.#stateFile, `${JSON.stringify(this.#done, null, 1)}\n`)
    this.#ranMinutes += step.minutes
    this.#aheadMinutes -= step.minutes
    this.#doneCount += 1
  }

  #isDone(step: PlannedStep): boolean {
    if (step.makes !== null) return existsSync(step.makes)
    return this.#done[step.name]?.step === fingerprintOf(step)
  }

  async #step(step: PlannedStep, at: number): Promise<boolean> {
    const { terminal, clock, work } = this.#options
    const log = join(work, 'logs', `${String(at + 1).padStart(2, '0')}-${step.name.replace(/[^\w-]+/g, '-')}.log`)
    writeFileSync(log, '')
    this.#running.set(step, clock.steadyMs())
    terminal.remark(`${at + 1} of ${this.#steps.length}: ${step.name}`)
    let last = ''
    const show = (): void => terminal.progress(`${this.#progress()}: ${last}`)
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
    this.#running.delete(step)
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
    const { code, output } = await runProgram(command, rest, onLine, { cwd: folder, env: oneThread })
    if (code === null) heard(output)
    return code
  }

  /** Time left by the plan, corrected by how long the steps so far really took. */
  #progress(): string {
    const nowMs = this.#options.clock.steadyMs()
    let running = 0
    for (const [step, beganMs] of this.#running) running += Math.min(step.minutes, (nowMs - beganMs) / 60_000)
    const ran = this.#ranMinutes + running
    const pace = this.#ranMinutes > 0 ? (nowMs - this.#beganMs) / 60_000 / ran : 1
    const ahead = Math.max(0, this.#aheadMinutes - running)
    const bar = progressBar(ran / (this.#ranMinutes + this.#aheadMinutes))
    const names = [...this.#running.keys()].map(({ name }) => name).join(' + ')
    const { length } = this.#steps
    return `${bar} ${this.#doneCount} of ${length} done, about ${timeText(ahead * pace * 60)} left: ${names}`
  }
}

type Heard = (line: string) => void

function fingerprintOf({ run, ask }: PlannedStep): string {
  return fingerprint(JSON.stringify([run, ask]))
}

function fingerprint(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}
