import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { readRecipe } from '../../src/cli/flash-call-runs.ts'
import { missingInPython, shippedRecipe, trainFlashCall } from '../../src/cli/train-flash-call.ts'
import { loadConfig } from '../../src/config/load.ts'
import { systemClock } from '../../src/core/clock.ts'
import { capturedTerminal } from '../fakes/captured-terminal.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

const cdr = loadConfig({ file: undefined, env: {} }).cdr

describe('voicefw train flash-call', () => {
  it('says before anything is computed that Python is not there', async (t) => {
    const out = join(scratchDirectory(t), 'out')
    const terminal = capturedTerminal()
    const python = 'no-such-python'
    const options = {
      out,
      recipe: shippedRecipe,
      python,
      heldOut: true,
      judged: null,
      cdr,
      clock: systemClock,
      terminal,
    }
    assert.equal(await trainFlashCall(options), 1)
    assert.match(terminal.err.join('\n'), /"no-such-python" cannot be run; see training\/README\.md/)
    assert.equal(existsSync(out), false)
  })

  it('names the packages that Python lacks', async (t) => {
    const python = join(scratchDirectory(t), 'python')
    writeFileSync(python, '#!/bin/sh\necho "torch onnx"\n', { mode: 0o755 })
    assert.match((await missingInPython(python)) ?? '', /lacks torch, onnx; see training\/README\.md/)
  })

  it('names what is wrong in a recipe', (t) => {
    const file = join(scratchDirectory(t), 'recipe.yaml')
    writeFileSync(file, 'version: "1"\nseed: -3\n')
    assert.throws(() => readRecipe(file), /seed[\s\S]*parts/)
    assert.equal(readRecipe(shippedRecipe).version, '2')
  })
})
