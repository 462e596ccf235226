import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { shippedVoiceSteps, trainVoice } from '../../src/cli/train-voice.ts'
import { planOf } from '../../src/cli/training-steps.ts'
import { ConfigProblems } from '../../src/config/load.ts'
import { systemClock } from '../../src/core/clock.ts'
import { projectRoot } from '../../src/core/project.ts'
import { capturedTerminal } from '../fakes/captured-terminal.ts'
import { scratchDirectory } from '../fakes/scratch.ts'
import { writeTinyModel } from '../fakes/tiny-model.ts'

const recipe = `version: tiny
vocoders: {istft: 4, ar: 3}
conversion: {minutes: 4}
train: {teacherSteps: 8000, folds: {a: {leaveOut: [ar]}}}
generate:
  classic: {espeak: 2000}
  neural: {kokoro: 1300}
  copiesTrain: {world: 2400, hifigan: 900}
  copiesHeld: {hifigan: 90}
  hifiganFile: deep/hifigan.onnx
`

const steps = `needs: {python: [torch], programs: [sh], diskGB: 0.001}
steps:
  - name: people
    prepare: true
    minutes: 1
    run: [python, human_speech.py, --bank, "{work}/bank"]
  - name: calls {part}
    prepare: true
    over: [{part: train}, {part: test}]
    makes: "{work}/{part}.json"
    ask: [python, list_speakers.py, --part, "{part}"]
    run: [python, calls.py, --out, "{work}/{part}.json", --speakers, "{ask}"]
  - name: training
    stdout: "{work}/said.json"
    run: [python, train.py, --models, "{models}"]
`

/** A Python that writes down what it was asked, makes what `--out` says, and fails when a file tells it to. */
function rig(t: TestContext) {
  const directory = scratchDirectory(t)
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text, { mode: 0o755 })
    return join(directory, name)
  }
  const python = file(
    'python',
    `#!/bin/sh
case "$1" in -c) exit 0;; list_speakers.py) echo "ann,bob"; exit 0;; esac
echo "$*" >> ${directory}/asked
case "$1" in calls.py) [ -e ${directory}/full ] && { echo "disk full" >&2; exit 1; }; touch "$3";; esac
printf '{"said": "by %s"}\\n' "$1"
`,
  )
  const models = join(directory, 'models')
  mkdirSync(models)
  writeTinyModel(models)
  const work = join(directory, 'making')
  const terminal = capturedTerminal()
  const options = { work, models, python, terminal, prepare: false, sideBySide: 1, clock: systemClock }
  const files = { recipe: file('recipe.yaml', recipe), steps: file('steps.yaml', steps) }
  const asked = (): string[] => {
    if (!existsSync(join(directory, 'asked'))) return []
    return readFileSync(join(directory, 'asked'), 'utf8').replaceAll(directory, '').trim().split('\n')
  }
  const run = (changes: object = {}) => trainVoice({ ...options, ...files, ...changes })
  return { directory, work, terminal, run, asked, file }
}

const everything = [
  'human_speech.py --bank /making/bank',
  'calls.py --out /making/train.json --speakers ann,bob',
  'calls.py --out /making/test.json --speakers ann,bob',
  'train.py --models /models',
]

describe('voicefw train voice', () => {
  it('runs the steps in order with what the recipe says, and ends in a model that was checked', async (t) => {
    const { run, asked, terminal, work } = rig(t)
    assert.equal(await run(), 0)
    assert.deepEqual(asked(), everything)
    assert.match(terminal.out.join('\n'), /^voice\/tiny: .* parameters, checked/)
    assert.equal(readFileSync(join(work, 'said.json'), 'utf8'), '{"said": "by train.py"}\n')
    assert.match(readFileSync(join(work, 'logs', '02-calls-train.log'), 'utf8'), /ann,bob\n.*by calls\.py/)
    assert.ok(
      terminal.shown.some((line) => /0 of 4 done, about 1:00 left: people/.test(line)),
      terminal.shown.join('\n'),
    )
  })

  it('makes only the data when asked to, and goes on from there', async (t) => {
    const { run, asked, terminal } = rig(t)
    assert.equal(await run({ prepare: true }), 0)
    assert.deepEqual(asked(), everything.slice(0, 3))
    assert.deepEqual(terminal.out, [])
    assert.equal(await run(), 0)
    assert.deepEqual(asked(), everything)
    assert.match(terminal.err.join('\n'), /3 of 4 steps are done/)
  })

  it('says why a step failed and goes on from it the next time', async (t) => {
    const { run, asked, terminal, directory, file, work } = rig(t)
    const full = file('full', '')
    assert.equal(await run(), 1)
    assert.equal(asked().length, 2)
    assert.match(terminal.err.join('\n'), /disk full\ncalls train failed; all it said is in .*02-calls-train\.log/)
    rmSync(full)
    assert.equal(await run(), 0)
    assert.deepEqual(asked(), [...everything.slice(0, 2), ...everything.slice(1)])
    // What was made and is gone is made again; so is all from a step on that was named.
    rmSync(join(work, 'test.json'))
    rmSync(join(directory, 'asked'))
    assert.equal(await run(), 0)
    assert.deepEqual(asked(), [everything[2]])
    assert.equal(await run({ from: 'calls test' }), 0)
    assert.deepEqual(asked().slice(1), everything.slice(2))
    assert.equal(await run({ from: 'cooking' }), 1)
  })

  it('tells of steps that were made before the recipe changed, and leaves them as they are', async (t) => {
    const { run, asked, terminal, file } = rig(t)
    assert.equal(await run({ prepare: true }), 0)
    file('recipe.yaml', recipe.replace('hifigan: 90', 'hifigan: 80'))
    assert.equal(await run(), 0)
    assert.deepEqual(asked(), everything)
    assert.match(terminal.err.join('\n'), /3 of them were made before the recipe changed; --from "people" makes them/)
    terminal.err.length = 0
    assert.equal(await run({ from: 'people' }), 0)
    assert.equal(await run(), 0)
    assert.doesNotMatch(terminal.err.join('\n'), /recipe changed/)
  })

  it('runs steps that come of one entry side by side, and those of the next after all of them', async (t) => {
    const { run, file, work, directory } = rig(t)
    // Each of the two waits for the other to have begun; one after another they would wait in vain.
    const python = file(
      'patient',
      `#!/bin/sh
case "$1" in -c) exit 0;; list_speakers.py) exit 0;; esac
echo "$1" >> ${directory}/order
case "$1" in calls.py)
  touch "$3.begun"; tries=0
  while [ $(ls ${work}/*.begun | wc -l) -lt 2 ]; do tries=$((tries + 1)); [ $tries -lt 500 ] || exit 1; sleep 0.01; done
  touch "$3";;
esac
`,
    )
    assert.equal(await run({ python, sideBySide: 2 }), 0)
    const order = readFileSync(join(directory, 'order'), 'utf8').trim().split('\n')
    assert.deepEqual(order, ['human_speech.py', 'calls.py', 'calls.py', 'train.py'])
  })

  it('runs an entry that stands beside another with it', async (t) => {
    const { file, directory } = rig(t)
    const beside = steps.replace('  - name: training\n', '  - name: training\n    beside: true\n')
    const plan = planOf(file('beside.yaml', beside), {
      work: '/w',
      models: '/m',
      recipe: join(directory, 'recipe.yaml'),
    })
    const [people, train, test, training] = plan.steps.map(({ group }) => group)
    assert.notEqual(people, train)
    assert.deepEqual([test, training], [train, train])
  })

  it('lets the other step of an entry end when one fails, and begins no more', async (t) => {
    const { run, file, work, terminal } = rig(t)
    const python = file(
      'half',
      `#!/bin/sh
case "$1" in -c) exit 0;; list_speakers.py) exit 0;; train.py) touch ${work}/trained;; esac
case "$3" in *train.json) exit 1;; *test.json) sleep 0.2; touch "$3";; esac
`,
    )
    assert.equal(await run({ python, sideBySide: 2 }), 1)
    assert.deepEqual([existsSync(join(work, 'test.json')), existsSync(join(work, 'trained'))], [true, false])
    assert.match(terminal.err.join('\n'), /calls train failed/)
  })

  it('tells all that is missing before anything is made', async (t) => {
    const { run, terminal, work, file, asked } = rig(t)
    const needs = 'needs: {python: [torch], programs: [sh, no-such-program], diskGB: 900000000}'
    const other = steps.replace(/needs: .*/, needs).replace('human_speech.py', 'gone.py')
    assert.equal(await run({ steps: file('other.yaml', other), python: 'no-such-python' }), 1)
    const told = terminal.err.join('\n')
    for (const what of [
      /gone\.py is missing/,
      /program no-such-program/,
      /GB free, the steps need/,
      /"no-such-python"/,
    ]) {
      assert.match(told, what)
    }
    assert.deepEqual([existsSync(work), asked()], [false, []])
  })

  it('tells which library Python cannot load', async (t) => {
    const { run, terminal, work, file } = rig(t)
    const python = file('other-python', '#!/bin/sh\ncase "$2" in *CDLL*) shift 3; echo "$1";; esac\n')
    const other = steps.replace('programs: [sh]', 'programs: [sh], libraries: [there.so, gone.so]')
    assert.equal(await run({ steps: file('other.yaml', other), python }), 1)
    assert.deepEqual(terminal.err, ['the library gone.so is not there; see training/README.md'])
    assert.equal(existsSync(work), false)
  })
})

describe('the steps', () => {
  const words = (directory: string) => ({ work: '/w', models: '/m', recipe: join(directory, 'recipe.yaml') })

  it('shipped are laid out for a recipe, and every script they name is there', (t) => {
    const { directory } = rig(t)
    const plan = planOf(shippedVoiceSteps, words(directory))
    const names = plan.steps.map(({ name }) => name)
    assert.equal(new Set(names).size, names.length)
    const copies = plan.steps.filter(({ name }) => name.startsWith('copies of training people'))
    const modelOf = (run: readonly string[]): string | undefined => run[run.indexOf('--model') + 1]
    assert.deepEqual(
      copies.map(({ run }) => modelOf(run)),
      ['/w/vocoders', '/w/packages/deep/hifigan.onnx'],
    )
    assert.deepEqual(plan.steps.find(({ name }) => name === 'vocoder ar')?.run.slice(1, 6), [
      ...['own_vocoders.py', '--kind', 'ar', '--minutes', '3'],
    ])
    const scripts = plan.steps.flatMap(({ run, ask }) => [run, ask ?? []])
    for (const [program, script = ''] of scripts) {
      if (program === 'python') assert.ok(existsSync(`${projectRoot}training/${script}`), script)
    }
  })

  it('are refused with every place that is wrong', (t) => {
    const { directory, file } = rig(t)
    const refused = (text: string, why: RegExp): void => {
      const problem = (): unknown => planOf(file('bad.yaml', text), words(directory))
      assert.throws(problem, (thrown) => thrown instanceof ConfigProblems && why.test(thrown.message))
    }
    refused('steps: []', /needs[\s\S]*steps/)
    refused(steps.replace('"{work}/bank"', '"{wrok}/bank"'), /people: \{wrok\} is not known/)
    refused(steps.replace('over: [{part: train}, {part: test}]', 'over: generate.nothing'), /no map generate\.nothing/)
  })
})
