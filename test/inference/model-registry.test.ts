/** Versions on disk: how the registry changes, and what is refused before it does. */
import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { OperatingError } from '../../src/core/errors.ts'
import { checkVersion, vouchFor } from '../../src/inference/model-check.ts'
import { ModelRegistry } from '../../src/inference/model-registry.ts'
import { scratchDirectory } from '../fakes/scratch.ts'
import { writeTinyFlashModel } from '../fakes/tiny-flash-model.ts'
import { writeVersion } from '../fakes/tiny-model.ts'

const steadyMs = () => systemClock.steadyMs()

/** voice with versions 1, 2 and 10. */
function registryOf(t: TestContext): { registry: ModelRegistry; directory: string } {
  const directory = scratchDirectory(t)
  for (const version of ['1', '2', '10']) writeVersion(directory, version)
  writeFileSync(join(directory, 'registry.json'), '{"voice": {"active": "1", "previous": null}}')
  return { registry: new ModelRegistry(directory, systemClock), directory }
}

const refusal = (code: string) => (thrown: unknown) => thrown instanceof OperatingError && thrown.code === code

describe('the registry of models', () => {
  it('activation keeps the version before, rollback swaps the two, a candidate that takes over is none', (t) => {
    const { registry, directory } = registryOf(t)
    assert.deepEqual(registry.versions('voice'), ['1', '2', '10'])
    assert.deepEqual(registry.setCandidate('voice', '2'), { active: '1', previous: null, candidate: '2' })
    assert.deepEqual(registry.activate('voice', '2'), { active: '2', previous: '1', candidate: null })
    assert.deepEqual(registry.rollback('voice'), { active: '1', previous: '2', candidate: null })
    const written = JSON.parse(readFileSync(join(directory, 'registry.json'), 'utf8'))
    assert.deepEqual(written, { voice: { active: '1', previous: '2', candidate: null } })
  })

  it('activating what is active changes nothing, not even the version before', (t) => {
    const { registry } = registryOf(t)
    registry.activate('voice', '2')
    const text = registry.text()
    registry.activate('voice', '2')
    assert.equal(registry.text(), text)
  })

  it('names and versions that are not there are refused, and so is a way back where there is none', (t) => {
    const { registry } = registryOf(t)
    assert.throws(() => registry.activate('voice', '3'), refusal('not_found'))
    assert.throws(() => registry.activate('voice', '../voice/2'), refusal('not_found'))
    assert.throws(() => registry.activate('fraud', '1'), refusal('not_found'))
    assert.throws(() => registry.rollback('voice'), refusal('conflict'))
    assert.throws(() => registry.setCandidate('voice', '1'), refusal('conflict'))
  })

  it('a lock that another process holds is waited for, and one that it left is taken over', (t) => {
    const { registry, directory } = registryOf(t)
    const lock = join(directory, 'registry.json.lock')
    writeFileSync(lock, '')
    const held = new ModelRegistry(directory, { wallMs: () => Date.now() + 60_000, steadyMs })
    assert.equal(held.activate('voice', '2').active, '2', 'a minute old: nobody holds it')
    rmSync(lock, { force: true })
    assert.equal(registry.activate('voice', '1').active, '1')
  })
})

describe('the check of a version', () => {
  it('tells what it is, once it has judged made-up input', async (t) => {
    const { directory } = registryOf(t)
    const voice = await checkVersion(join(directory, 'voice', '2'), steadyMs)
    assert.deepEqual([voice.label, voice.kind, voice.parameters], ['voice/2', 'voice', 180])
    assert.ok(voice.bytes > 100 && voice.loadMs > 0)
    const flash = await checkVersion(writeTinyFlashModel(directory), steadyMs)
    assert.deepEqual([flash.label, flash.thresholds], ['flash_call/tiny', { flashCall: 0.75 }])
  })

  it('refuses a file that is not the one its manifest vouches for', async (t) => {
    const { directory } = registryOf(t)
    writeFileSync(join(directory, 'voice', '2', 'model.onnx'), 'another file')
    await assert.rejects(vouchFor(join(directory, 'voice', '2')), /sha256 must be/)
    rmSync(join(directory, 'voice', '2', 'model.onnx'))
    await assert.rejects(vouchFor(join(directory, 'voice', '2')), /cannot be read/)
  })

  it('refuses a model that answers no number', async (t) => {
    const { directory } = registryOf(t)
    writeVersion(directory, 'nan', { weight: Number.NaN })
    await assert.rejects(checkVersion(join(directory, 'voice', 'nan'), steadyMs), /no number/)
  })
})
