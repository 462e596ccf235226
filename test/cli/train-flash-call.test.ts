import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { readRecipe } from '../../src/cli/flash-call-runs.ts'
import { writeJudged } from '../../src/cli/judged-part.ts'
import { missingInPython, shippedRecipe, trainFlashCall } from '../../src/cli/train-flash-call.ts'
import { loadConfig } from '../../src/config/load.ts'
import { systemClock } from '../../src/core/clock.ts'
import { featureCount, featureNames } from '../../src/features/call-features.ts'
import { judgedWindows } from '../../src/storage/judged-windows.ts'
import { lookColumns } from '../../src/training/dump-call-features.ts'
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
    assert.equal(readRecipe(shippedRecipe).version, '3')
  })

  it('learns from windows of cases that people decided on, as far as they have the features of today', async (t) => {
    const names = Object.fromEntries(featureNames.map((name, at) => [name, at]))
    const row = (id: string, verdict: string, features: object) => {
      const subject = { subject_type: 'range', subject_value: '447700900' }
      return { id, verdict, ...subject, features_json: JSON.stringify(features) }
    }
    const { blinkShare, ...older } = names
    const rows = [row('a', 'confirmed', names), row('b', 'dismissed', names), row('c', 'confirmed', older)]
    const asked: string[] = []
    const store = {
      query: async (sql: string) => {
        asked.push(sql)
        return [...rows, row('d', 'dismissed', {})]
      },
    }
    const judged = await judgedWindows(store, featureNames, 10)
    assert.match(asked.join(), /kind = 'flash_call' AND verdict IN \('confirmed', 'dismissed'\)/)
    assert.deepEqual([judged.windows.length, judged.without], [2, 2])
    const { file, looks, campaignLooks } = writeJudged(judged.windows, scratchDirectory(t))
    assert.deepEqual([looks, campaignLooks], [2, 1])
    const bytes = readFileSync(file)
    const floats = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
    const width = featureCount + lookColumns.length
    assert.equal(floats.length, 2 * width)
    assert.deepEqual([floats[1], floats[featureCount], floats[width + featureCount]], [1, 1, 0])
  })
})
