/**
 * `voicefw train flash-call --out DIR`: traffic drawn from the recipe, features by the product's own code, training in
 * Python, judgement on held-out traffic, manifest. What it makes is DIR/flash_call/VERSION, to be put into models/.
 * Main thread of the command; Python is a child process, looked for before anything is computed.
 *
 *   recipe -> simulate, detect, dump -> *.f32 -> train.py -> model.onnx, report.json
 *          -> held-out traffic, rule and model -> DIR/flash_call/VERSION/{model.onnx,manifest.json}
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { CdrConfig } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import { projectRoot } from '../core/project.ts'
import { flashCallRule } from '../decisions/flash-call-rule.ts'
import { featureNames } from '../features/call-features.ts'
import { FlashCallModel } from '../inference/flash-call-model.ts'
import type { JudgedWindows } from '../storage/judged-windows.ts'
import { runProgram } from './child-program.ts'
import { type FlashCallRecipe, type LabelledRun, makeRuns, readRecipe } from './flash-call-runs.ts'
import { heldOutSets, judgeHeldOut, secondSets } from './held-out-runs.ts'
import { brief, limitsOf } from './held-out-words.ts'
import { writeJudged } from './judged-part.ts'
import { type ExitCode, progressText, type Terminal } from './terminal.ts'

export interface TrainFlashCallOptions {
  readonly out: string
  readonly recipe: string
  readonly python: string
  /** Also judge it on held-out traffic. */
  readonly heldOut: boolean
  /** Windows with people's verdicts besides the simulated ones; null: none. */
  readonly judged: (() => Promise<JudgedWindows>) | null
  readonly cdr: CdrConfig
  readonly clock: Clock
  readonly terminal: Terminal
}

export const shippedRecipe = join(projectRoot, 'training/flash_call/recipe.yaml')
const trainingFolder = join(projectRoot, 'training/flash_call')
const pythonNeeds = ['numpy', 'torch', 'onnx', 'onnxruntime', 'yaml'] as const

const reportSchema = z.looseObject({
  sha256: z.string(),
  parameters: z.number(),
  threshold: z.number(),
  calibration: z.looseObject({}),
  reference: z.record(z.string(), z.array(z.number())),
  data: z.looseObject({}),
  dev: z.looseObject({}),
  labelled: z.looseObject({}).optional(),
})

export async function trainFlashCall(options: TrainFlashCallOptions): Promise<ExitCode> {
  const { terminal, clock, out } = options
  const recipe = readRecipe(options.recipe)
  const missing = await missingInPython(options.python)
  if (missing !== null) {
    terminal.remark(missing)
    return 1
  }
  const work = join(out, 'work')
  const startMs = clock.steadyMs()
  const labelled = await labelledRuns(options, work)
  if (labelled === null) return 1
  terminal.remark('1 of 3: traffic and features')
  await makeRuns(recipe, options.cdr, work, labelled, (done, all) => {
    terminal.progress(progressText(done, all, clock.steadyMs() - startMs))
  })
  terminal.progress('')
  terminal.remark('2 of 3: training')
  const args = [join(trainingFolder, 'train.py'), '--recipe', options.recipe, '--work', work]
  const { code } = await runProgram(options.python, args, (line) => terminal.remark(line))
  if (code !== 0) return 1
  terminal.remark(options.heldOut ? '3 of 3: judging it on held-out traffic' : '3 of 3: manifest')
  const dir = await writeVersion(options, recipe, work)
  terminal.print(`${dir}: put the folder into models/flash_call/ and its version into models/registry.json`)
  return 0
}

/** Null: they were asked for, and there are none to learn from. */
async function labelledRuns({ judged, terminal }: TrainFlashCallOptions, work: string): Promise<LabelledRun[] | null> {
  if (judged === null) return []
  const { windows, without } = await judged()
  const confirmed = windows.filter(({ isCampaign }) => isCampaign).length
  terminal.remark(
    `${windows.length} windows with a verdict: ${confirmed} confirmed, ${windows.length - confirmed} dismissed; ` +
      `${without} judged cases have no stored window of these features`,
  )
  if (windows.length > 0) return [writeJudged(windows, work)]
  terminal.remark('nothing to learn from: confirm or dismiss flash-call cases first, or train without --from')
  return null
}

/** What keeps Python from training, in words; null: nothing. */
export async function missingInPython(command: string, needs: readonly string[] = pythonNeeds): Promise<string | null> {
  const code =
    'import importlib.util, sys\n' +
    'print(" ".join(name for name in sys.argv[1:] if importlib.util.find_spec(name) is None))'
  const { code: exit, output } = await runProgram(command, ['-c', code, ...needs], () => undefined)
  if (exit === null)
    return `training needs Python: "${command}" cannot be run; see training/README.md, or give --python`
  if (exit !== 0) return `training needs Python 3: "${command}" failed: ${output.trim().slice(-300)}`
  const names = output.trim()
  return names === ''
    ? null
    : `"${command}" lacks ${names.replaceAll(' ', ', ')}; see training/README.md, or give --python`
}

/** The version's folder is written twice: the model must stand in one to be loaded, its figures come after that. */
async function writeVersion(options: TrainFlashCallOptions, recipe: FlashCallRecipe, work: string): Promise<string> {
  const { terminal, clock } = options
  const report = readReport(join(work, 'report.json'))
  const dir = join(options.out, 'flash_call', recipe.version)
  mkdirSync(dir, { recursive: true })
  copyFileSync(join(work, 'model.onnx'), join(dir, 'model.onnx'))
  const manifest = {
    name: 'flash_call',
    version: recipe.version,
    kind: 'flash_call',
    file: 'model.onnx',
    sha256: report.sha256,
    parameters: report.parameters,
    features: featureNames,
    thresholds: { flashCall: report.threshold },
    calibration: report.calibration,
    reference: report.reference,
    training: {
      recipe: 'training/flash_call/recipe.yaml',
      seed: recipe.seed,
      data: [
        {
          source: 'voicefw simulate cdr: number plan train, scenarios drawn from the recipe',
          licence: 'Apache-2.0 (made here)',
          parts: report.data,
        },
      ],
      heldOut: 'number plan test, configs/simulation/heldout.yaml and heldout-2.yaml, seeds of their own',
      ...(report.labelled === undefined ? {} : { labelled: report.labelled }),
    },
    metrics: { dev: report.dev, heldOut: {} as Record<string, unknown> },
    limits: [] as string[],
  }
  const write = () => writeFileSync(join(dir, 'manifest.json'), `${JSON.stringify(manifest, null, 1)}\n`)
  write()
  const model = await FlashCallModel.load(dir)
  const scorers = { model, rule: flashCallRule }
  for (const set of options.heldOut ? [...secondSets, ...heldOutSets] : []) {
    const startMs = clock.steadyMs()
    const reports = await judgeHeldOut(set, scorers, options.cdr, (done, all) => {
      if (done % 20_000 === 0) terminal.progress(progressText(done, all, clock.steadyMs() - startMs))
    })
    terminal.progress('')
    manifest.metrics.heldOut[set.name] = Object.fromEntries(
      Object.entries(reports).map(([name, each]) => [name, brief(each, 'flash_call')]),
    )
    manifest.limits.push(...limitsOf(set, reports['model']!))
  }
  manifest.limits.push(...standingLimits)
  write()
  await model.release()
  return dir
}

const standingLimits = [
  'All of training and judgement is simulated traffic: one simulator, two number plans. No real flash call was seen.',
  'Judges ranges, routes and routes towards a destination; a single number is never a flash call.',
  'Fewer than 12 calls in 10 min (19 in 1 h, 29 in 24 h) of a range or route are not judged at all.',
  'Probabilities are calibrated on windows of the dev traffic, many of which carry a campaign; elsewhere they rank.',
] as const

function readReport(path: string): z.infer<typeof reportSchema> {
  try {
    return reportSchema.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch (thrown) {
    throw new OperatingError('model_invalid', `${path}: ${messageOf(thrown)}`)
  }
}
