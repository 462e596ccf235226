import assert from 'node:assert/strict'
import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { loadVoiceModelSlowly } from '../../src/inference/model-check.ts'
import { scratchDirectory } from '../fakes/scratch.ts'
import { writeTinyModel } from '../fakes/tiny-model.ts'

describe('a voice model that is read while the thread serves', () => {
  it('is its file, in memory that threads share instead of copying it', async (t) => {
    const dir = scratchDirectory(t)
    writeTinyModel(dir)
    const { manifest, onnx } = await loadVoiceModelSlowly(join(dir, 'voice', 'tiny'))
    assert.equal(manifest.version, 'tiny')
    assert.deepEqual(Buffer.from(onnx), readFileSync(join(dir, 'voice', 'tiny', 'model.onnx')))
    assert.ok(onnx.buffer instanceof SharedArrayBuffer)
  })

  it('is refused when its file is not what the manifest vouches for', async (t) => {
    const dir = scratchDirectory(t)
    writeTinyModel(dir)
    appendFileSync(join(dir, 'voice', 'tiny', 'model.onnx'), 'more')
    const reading = loadVoiceModelSlowly(join(dir, 'voice', 'tiny'))
    await assert.rejects(reading, { code: 'model_invalid', message: /sha256 must be .* as its manifest says/ })
  })
})
