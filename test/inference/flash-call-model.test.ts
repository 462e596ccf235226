import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { feature, featureCount, featureNames } from '../../src/features/call-features.ts'
import { FlashCallModel, loadFlashCallManifest } from '../../src/inference/flash-call-model.ts'
import { scratchDirectory } from '../fakes/scratch.ts'
import { writeTinyFlashModel } from '../fakes/tiny-flash-model.ts'

function rows(blinkShares: readonly number[]): Float32Array {
  const features = new Float32Array(blinkShares.length * featureCount)
  for (const [row, share] of blinkShares.entries()) features[row * featureCount + feature.blinkShare] = share
  return features
}

function problem(change: Parameters<typeof writeTinyFlashModel>[1], path: string): string {
  const dir = writeTinyFlashModel(path, change)
  try {
    loadFlashCallManifest(dir)
  } catch (thrown) {
    return (thrown as Error).message
  }
  return 'accepted'
}

describe('the flash-call model', () => {
  it('answers a probability a row, in order, also of more rows than a run takes', async (t) => {
    const model = await FlashCallModel.load(writeTinyFlashModel(scratchDirectory(t)), 3)
    const shares = [0.5, 0.25, 0.125, 1, 0, 0.75, 0.0625]
    assert.deepEqual([...(await model.scores(rows(shares), 7))], shares)
    await model.release()
  })

  it('keeps questions apart that come while it computes', async (t) => {
    const model = await FlashCallModel.load(writeTinyFlashModel(scratchDirectory(t)), 2)
    const [first, second] = await Promise.all([
      model.scores(rows([0.5, 0.25, 0.125]), 3),
      model.scores(rows([1, 0]), 2),
    ])
    assert.deepEqual([...first], [0.5, 0.25, 0.125])
    assert.deepEqual([...second], [1, 0])
    await model.release()
  })

  it('goes on scoring while the file of the next one is awaited', async (t) => {
    const serving = await FlashCallModel.load(writeTinyFlashModel(scratchDirectory(t)))
    const dir = writeTinyFlashModel(scratchDirectory(t))
    const pipe = join(dir, 'model.onnx')
    renameSync(pipe, join(dir, 'whole'))
    execFileSync('mkfifo', [pipe])
    // Fed when it is told to; after two seconds by itself, so that a thread that waits for it does not wait for ever.
    const feeding = spawn('sh', ['-c', 'timeout 2 head -n 1; touch fed; cat whole > model.onnx'], { cwd: dir })
    const fed = once(feeding, 'exit')
    const next = FlashCallModel.load(dir)
    assert.deepEqual([...(await serving.scores(rows([0.5]), 1))], [0.5])
    assert.equal(existsSync(join(dir, 'fed')), false)
    feeding.stdin.end('now\n')
    const model = await next
    assert.deepEqual([...(await model.scores(rows([0.25]), 1))], [0.25])
    await Promise.all([fed, serving.release(), model.release()])
  })

  it('answers nothing to no rows', async (t) => {
    const model = await FlashCallModel.load(writeTinyFlashModel(scratchDirectory(t)))
    assert.equal((await model.scores(new Float32Array(0), 0)).length, 0)
    await model.release()
  })

  it('takes its threshold from the manifest', async (t) => {
    const model = await FlashCallModel.load(writeTinyFlashModel(scratchDirectory(t)))
    assert.equal(model.trained.scoreMin, 0.75)
    await model.release()
  })

  it('is refused when it was trained on other features than are made', (t) => {
    const dir = scratchDirectory(t)
    const swapped = [...featureNames]
    swapped[1] = 'blinkShare'
    assert.match(problem({ features: swapped }, dir), /features\.1 must be "answeredShare", got "blinkShare"/)
    assert.match(
      problem({ features: featureNames.slice(0, -1) }, dir),
      /features\.\d+ must be "windowLevel", got "undef/,
    )
    assert.match(problem({ features: [...featureNames, 'moon'] }, dir), /features: \d+ of them/)
  })

  it('is refused when the file is not the one that its manifest vouches for', async (t) => {
    const dir = writeTinyFlashModel(scratchDirectory(t))
    appendFileSync(join(dir, 'model.onnx'), ' ')
    await assert.rejects(FlashCallModel.load(dir), /sha256 must be/)
  })

  it('is refused under another version than its folder says', (t) => {
    assert.match(
      problem({ version: '2' }, scratchDirectory(t)),
      /version "2" of flash_call stands in a folder called "tiny"/,
    )
  })
})
