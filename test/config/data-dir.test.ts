import assert from 'node:assert/strict'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { makeDataDir } from '../../src/config/data-dir.ts'
import { lastingDirectory } from '../fakes/scratch.ts'

describe('the data directory', () => {
  it('is made with its parents, for its owner only, and may exist', () => {
    const path = join(lastingDirectory(), 'a', 'b')
    makeDataDir(path)
    makeDataDir(path)
    assert.equal(statSync(path).mode & 0o777, 0o700)
  })

  it('that is a file is a configuration problem', () => {
    const file = join(lastingDirectory(), 'file')
    writeFileSync(file, '')
    assert.throws(() => makeDataDir(file), { code: 'config_invalid', message: /dataDir: .*a file of that name/ })
  })

  it('that cannot be made is a configuration problem, at once', () => {
    assert.throws(() => makeDataDir('/proc/voicefw'), { code: 'config_invalid', message: /dataDir: \/proc\/voicefw/ })
  })
})
