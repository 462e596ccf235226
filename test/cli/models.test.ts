/** The models commands, on a folder of their own. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { activateModel, listModels, rollbackModel, showModel, tryModel, verifyModels } from '../../src/cli/models.ts'
import { loadConfig } from '../../src/config/load.ts'
import { systemClock } from '../../src/core/clock.ts'
import { capturedTerminal } from '../fakes/captured-terminal.ts'
import { scratchDirectory } from '../fakes/scratch.ts'
import { writeVersion } from '../fakes/tiny-model.ts'

function models(t: TestContext) {
  const directory = scratchDirectory(t)
  for (const version of ['1', '2']) writeVersion(directory, version)
  writeVersion(directory, 'bad', { sha256: '0'.repeat(64) })
  writeFileSync(join(directory, 'registry.json'), '{"voice": {"active": "1", "previous": null}}')
  const terminal = capturedTerminal()
  const config = loadConfig({ env: { VOICEFW__MODELS__DIRECTORY: directory } })
  return { context: { config, clock: systemClock, terminal }, terminal }
}

describe('models', () => {
  it('list and show tell every version and how it stands, as a table or as JSON', async (t) => {
    const { context, terminal } = models(t)
    await tryModel(context, 'voice', '2')
    terminal.out.length = 0
    assert.equal(listModels(context, { json: false }), 0)
    assert.match(terminal.out[1] ?? '', /^voice +1 +active +180 +[0-9a-f]{12}$/)
    assert.match(terminal.out[2] ?? '', /^voice +2 +candidate/)
    listModels(context, { json: true })
    const rows = JSON.parse(terminal.out.at(-1) ?? '') as { version: string; standing: string }[]
    assert.deepEqual(
      rows.map(({ version, standing }) => `${version} ${standing}`),
      ['1 active', '2 candidate', 'bad '],
    )
    showModel(context, 'voice', undefined, { json: true })
    assert.equal(JSON.parse(terminal.out.at(-1) ?? '').label, 'voice/1')
  })

  it('verify tells each version and fails when one does', async (t) => {
    const { context, terminal } = models(t)
    assert.equal(await verifyModels(context, 'voice', '2', { json: false }), 0)
    assert.match(terminal.out.at(-1) ?? '', /^ok +voice\/2 +\d+ bytes, sha256 [0-9a-f]{12}, loads in/)
    assert.equal(await verifyModels(context, undefined, undefined, { json: true }), 1)
    const told = terminal.out
      .slice(1)
      .map((line) => JSON.parse(line) as { ok: boolean; label: string; problem?: string })
    assert.deepEqual(
      told.map(({ label, ok }) => `${label} ${ok}`),
      ['voice/1 true', 'voice/2 true', 'voice/bad false'],
    )
    assert.match(told[2]?.problem ?? '', /sha256 must be/)
  })

  it('activate and rollback change what is active, but never to what does not verify', async (t) => {
    const { context, terminal } = models(t)
    assert.equal(await activateModel(context, 'voice', '2'), 0)
    assert.equal(terminal.out.at(-1), 'voice: active 2, previous 1, candidate none')
    await assert.rejects(activateModel(context, 'voice', 'bad'), /sha256 must be/)
    await assert.rejects(tryModel(context, 'voice', 'bad'), /sha256 must be/)
    assert.equal(await rollbackModel(context, 'voice'), 0)
    assert.equal(terminal.out.at(-1), 'voice: active 1, previous 2, candidate none')
  })
})
