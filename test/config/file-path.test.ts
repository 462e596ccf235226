/** Rules of the paths in the configuration. */
import assert from 'node:assert/strict'
import { mkdtempSync, realpathSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'

const jwt = { algorithms: ['RS256'], issuer: 'https://id.example.com/', audience: 'voicefw', jwksFile: 'idp/jwks.json' }
const relative = {
  VOICEFW__DATA_DIR: './data',
  VOICEFW__SERVER__TLS: '{ certFile: tls/cert.pem, keyFile: ../key.pem }',
  VOICEFW__AUTH__JWT: JSON.stringify(jwt),
  VOICEFW__MODELS__DIRECTORY: 'models',
  VOICEFW__PRIVACY__KEY_FILE: 'vault.json',
  VOICEFW__AUDIO__KEY_FILE: 'audio.key',
  VOICEFW__NOTIFY__TEMPLATES_DIR: 'templates',
  VOICEFW__CDR__DOORS__SOURCE_DIRECTORIES: '[mappings, /etc/mappings]',
}

function standingIn<T>(folder: string, look: () => T): T {
  const before = process.cwd()
  process.chdir(folder)
  try {
    return look()
  } finally {
    process.chdir(before)
  }
}

function newFolder(): string {
  return realpathSync(mkdtempSync(join(tmpdir(), 'voicefw-paths-')))
}

describe('a path of the configuration', () => {
  it('is absolute, from where the process stood when it loaded it, wherever it stands later', () => {
    const folder = newFolder()
    const config = standingIn(folder, () => loadConfig({ env: relative }))
    assert.equal(config.dataDir, `${folder}/data`)
    assert.deepEqual(config.server.tls, {
      certFile: `${folder}/tls/cert.pem`,
      keyFile: `${realpathSync(tmpdir())}/key.pem`,
    })
    assert.equal(config.auth.jwt?.jwksFile, `${folder}/idp/jwks.json`)
    assert.equal(config.models.directory, `${folder}/models`)
    assert.equal(config.privacy.keyFile, `${folder}/vault.json`)
    assert.equal(config.audio.keyFile, `${folder}/audio.key`)
    assert.equal(config.notify.templatesDir, `${folder}/templates`)
    assert.deepEqual(config.cdr.doors.sourceDirectories, [`${folder}/mappings`, '/etc/mappings'])
  })

  it('that is relative to a folder that is gone is a problem with its name; an absolute one is none', () => {
    const folder = newFolder()
    standingIn(folder, () => {
      rmdirSync(folder)
      const message = /dataDir: got "\.\/data"; an absolute path: there is no current directory/
      assert.throws(() => loadConfig({ env: {} }), { code: 'config_invalid', message })
      assert.equal(loadConfig({ env: { VOICEFW__DATA_DIR: '/srv/voicefw' } }).dataDir, '/srv/voicefw')
    })
  })
})
