import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { OperatingError } from '../../src/core/errors.ts'
import { featureWidth } from '../../src/features/hop.ts'
import { hopSpecOf } from '../../src/inference/load-detector.ts'
import { activeModelDir, loadManifest, loadVoiceModel, modelLabel } from '../../src/inference/model-file.ts'
import { lastingDirectory } from '../fakes/scratch.ts'
import { tinyManifest, tinyOnnx, writeTinyModel } from '../fakes/tiny-model.ts'

/** Runs `act` and returns the text of the `model_invalid` it must throw. */
function refusal(act: () => unknown): string {
  try {
    act()
  } catch (thrown) {
    assert(thrown instanceof OperatingError, String(thrown))
    assert.equal(thrown.code, 'model_invalid')
    return thrown.message
  }
  return assert.fail('was accepted')
}

describe('a model on disk', () => {
  const dir = lastingDirectory()

  function change(keys: Record<string, unknown>): string {
    writeTinyModel(dir)
    const path = join(dir, 'voice', 'tiny', 'manifest.json')
    writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), ...keys }))
    return join(dir, 'voice', 'tiny')
  }

  it('is found by the registry and carries its bytes', () => {
    writeTinyModel(dir)
    const model = loadVoiceModel(activeModelDir('voice', dir))
    assert.equal(modelLabel(model.manifest), 'voice/tiny')
    assert.deepEqual(Buffer.from(model.onnx), readFileSync(join(dir, 'voice', 'tiny', 'model.onnx')))
    assert.deepEqual(hopSpecOf(model.manifest), {
      features: {
        kind: 'log-bands',
        scale: 'linear',
        sampleRateHz: 8000,
        windowSamples: 256,
        hopSamples: 80,
        fftSize: 256,
        bands: 60,
        lowHz: 80,
        highHz: 3880,
        floor: 1e-6,
      },
      hopFrames: 50,
      contextFrames: 2,
    })
  })

  it('is refused when one byte of the file differs, naming the file and both hashes', () => {
    const model = change({})
    const bytes = readFileSync(join(model, 'model.onnx'))
    bytes[40] = (bytes[40] ?? 0) ^ 1
    writeFileSync(join(model, 'model.onnx'), bytes)
    assert.match(
      refusal(() => loadVoiceModel(model)),
      /model\.onnx: sha256 must be [0-9a-f]{64} .*got [0-9a-f]{64}$/,
    )
  })

  it('may say from which novelty on it abstains, a number above 0', () => {
    const told = { novelty: { threshold: 1.5, method: 'any story' } }
    assert.deepEqual(loadManifest(change({ abstain: told })), { ...loadManifest(change({})), abstain: told })
    for (const [abstain, words] of [
      [{ novelty: { threshold: 0 } }, /abstain\.novelty\.threshold.*a number above 0: windows of more novelty/],
      [{ novelty: {} }, /abstain\.novelty\.threshold/],
      [{ novelty: { threshold: 1 }, doubt: 2 }, /abstain.*doubt/],
    ] as const) {
      assert.match(
        refusal(() => loadManifest(change({ abstain }))),
        words,
      )
    }
  })

  it('may ask for cepstra, no more of them than bands; log bands have no coefficients', () => {
    writeTinyModel(dir)
    const { features } = tinyManifest(tinyOnnx())
    const cepstra = { ...features, kind: 'cepstra', coefficients: 20 }
    const spec = hopSpecOf(loadManifest(change({ features: cepstra }))).features
    assert.deepEqual(spec, { ...cepstra, sampleRateHz: 8000 })
    assert.equal(featureWidth(spec), 20)
    const cases: [object, RegExp][] = [
      [{ ...cepstra, coefficients: 61 }, /features\.coefficients 61 is larger than features\.bands 60/],
      [{ ...cepstra, coefficients: undefined }, /features\.coefficients/],
      [{ ...features, coefficients: 20 }, /features: .*coefficients/],
      [{ ...features, kind: 'waves' }, /features\.kind/],
    ]
    for (const [wrong, expected] of cases)
      assert.match(
        refusal(() => loadManifest(change({ features: wrong }))),
        expected,
      )
  })

  it('is refused when the file is missing', () => {
    assert.match(
      refusal(() => loadVoiceModel(change({ file: 'other.onnx' }))),
      /other\.onnx: cannot be read: ENOENT/,
    )
  })

  it('may tell any story under training, metrics, calibration and limits', () => {
    const story = { training: { hours: 12, corpora: ['a'] }, metrics: { eer: { value: 0.1 } }, calibration: { a: 1 } }
    assert.equal(loadManifest(change({ ...story, limits: { languages: ['en'] } })).version, 'tiny')
  })

  it('is refused with every bad key named at once', () => {
    const text = refusal(() => loadManifest(change({ sampleRateHz: 11025, sha256: 'x', extra: 1 })))
    assert.match(text, /sampleRateHz/)
    assert.match(text, /sha256: 64 lower-case hexadecimal digits/)
    assert.match(text, /extra/)
  })

  it('is refused when its numbers contradict one another', () => {
    const cases: [Record<string, unknown>, RegExp][] = [
      [{ hop: { ms: 400, frames: 50, contextFrames: 2 } }, /hop\.ms is 400, but 50 frames of 10 ms are 500/],
      [
        { thresholds: { synthetic: 0.2, human: 0.8 } },
        /thresholds\.synthetic 0\.2 must lie above thresholds\.human 0\.8/,
      ],
      [{ version: '2' }, /version "2" of voice stands in a folder called "tiny"/],
    ]
    for (const [keys, expected] of cases)
      assert.match(
        refusal(() => loadManifest(change(keys))),
        expected,
      )
  })

  it('cannot leave its folder by its file name', () => {
    assert.match(
      refusal(() => loadManifest(change({ file: '../../../etc/passwd' }))),
      /file: a plain folder name/,
    )
  })

  it('is refused when the registry does not name it or is not JSON', () => {
    writeTinyModel(dir)
    assert.match(
      refusal(() => activeModelDir('fraud', dir)),
      /registry\.json: names no model "fraud"/,
    )
    writeFileSync(join(dir, 'registry.json'), '{"voice":')
    assert.match(
      refusal(() => activeModelDir('voice', dir)),
      /registry\.json: is not JSON/,
    )
  })
})
