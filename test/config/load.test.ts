/** Rules of the configuration: layers, secrets, and all problems at once. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { ConfigProblems, loadConfig } from '../../src/config/load.ts'
import { lastingDirectory } from '../fakes/scratch.ts'

function fileWith(text: string): string {
  const path = join(lastingDirectory(), 'config.yaml')
  writeFileSync(path, text)
  return path
}

function problemsOf(text: string, env: Record<string, string> = {}): readonly string[] {
  try {
    loadConfig({ file: fileWith(text), env })
  } catch (thrown) {
    assert.ok(thrown instanceof ConfigProblems)
    return thrown.problems
  }
  return []
}

const sid = `AC${'0'.repeat(32)}`

describe('the configuration', () => {
  it('is complete without a file: loopback, port 8080, embedded ClickHouse, no account', () => {
    const config = loadConfig({ env: {} })
    assert.equal(config.server.host, '127.0.0.1')
    assert.equal(config.server.port, 8080)
    assert.equal(config.storage.url, null)
    assert.deepEqual(config.twilio.accounts, [])
    assert.equal(config.twilio.enforceSignature, true)
  })

  it('lays the file over the default and the environment over both', () => {
    const file = fileWith('server: { port: 9000, host: localhost }\ndataDir: /tmp/a\n')
    const config = loadConfig({ file, env: { VOICEFW__SERVER__PORT: '9001', VOICEFW__DATA_DIR: '/tmp/b' } })
    assert.equal(config.server.port, 9001)
    assert.equal(config.server.host, 'localhost')
    assert.equal(config.dataDir, '/tmp/b')
  })

  it('reaches deep keys through the environment', () => {
    const config = loadConfig({ env: { VOICEFW__DETECTION__VOICE__RECONNECT_GRACE_MS: '3000' } })
    assert.equal(config.detection.voice.reconnectGraceMs, 3000)
  })

  it('reads secrets from the environment and from files', () => {
    const secretFile = fileWith('token-from-file\n')
    const file = fileWith(`twilio: { accounts: [{ sid: ${sid}, authTokens: [env:TOKEN_A, "file:${secretFile}"] }] }`)
    const config = loadConfig({ file, env: { TOKEN_A: 'token-from-env' } })
    assert.deepEqual(config.twilio.accounts[0]?.authTokens, ['token-from-env', 'token-from-file'])
  })

  it('reports all problems at once, each with path, value and what is allowed', () => {
    const problems = problemsOf(
      'server: { port: 99999, hots: x }\nlogLevel: loud\ndetection: { voice: { workers: 0 } }',
    )
    const text = problems.join('\n')
    assert.equal(problems.length, 4)
    assert.match(text, /server\.port: got 99999; .*65535/)
    assert.match(text, /server: unknown key "hots"/)
    assert.match(text, /logLevel: got "loud"; .*"debug"/)
    assert.match(text, /detection\.voice\.workers: got 0/)
  })

  it('refuses a rule of which calls are listened to that says something else than it seems', () => {
    const rule = (more: string): string =>
      problemsOf(`detection: { voice: { enabled: { rules: [{ name: night, listen: false, ${more} }] } } }`).join('\n')
    assert.match(rule('hours: "22-6"'), /enabled\.rules\[0\]\.hours: got "22-6"; HH:MM-HH:MM/)
    assert.match(rule('to: ["+12025550199"]'), /rules\[0\]\.to\[0\]: .*digits without \+/)
    assert.match(rule('days: [monday]'), /rules\[0\]\.days\[0\]: got "monday"/)
    assert.match(rule('number: "1202"'), /rules\[0\]: unknown key "number"/)
    const zone = problemsOf('detection: { voice: { enabled: { timeZone: Mars/Base } } }').join('\n')
    assert.match(zone, /enabled\.timeZone: got "Mars\/Base"; a time zone/)
  })

  it('never prints a secret in a problem', () => {
    const problems = problemsOf(`twilio: { accounts: [{ sid: ${sid}, authTokens: { hunter2: hunter2 } }] }`)
    assert.equal(problems.length, 1)
    assert.doesNotMatch(problems.join(''), /hunter2/)
  })

  it('names a secret that is not there', () => {
    const problems = problemsOf(`twilio: { accounts: [{ sid: ${sid}, authTokens: [env:NOT_SET_ANYWHERE] }] }`)
    assert.match(problems.join('\n'), /twilio\.accounts\[0\]\.authTokens\[0\]: environment variable NOT_SET_ANYWHERE/)
  })

  it('says both values when two keys contradict each other', () => {
    const problems = problemsOf('detection: { voice: { firmNetSpeechMs: 600, provisionalNetSpeechMs: 1500 } }')
    assert.match(problems.join('\n'), /firmNetSpeechMs \(600\).*provisionalNetSpeechMs \(1500\)/)
  })

  it('refuses unsigned Twilio requests beyond loopback', () => {
    const problems = problemsOf('server: { host: 0.0.0.0 }\ntwilio: { enforceSignature: false }')
    assert.match(problems.join('\n'), /enforceSignature: false is allowed on loopback only, server\.host is 0\.0\.0\.0/)
  })

  it('reports a file that is not there', () => {
    assert.throws(() => loadConfig({ file: '/nowhere/voicefw.yaml', env: {} }), /nowhere.*ENOENT/s)
  })

  it('take one source of keys for tokens, and HMAC with a secret alone', () => {
    const problemsOf = (jwt: object): string => {
      try {
        const all = { issuer: 'https://id.example.com/', audience: 'voicefw', ...jwt }
        loadConfig({ env: { VOICEFW__AUTH__JWT: JSON.stringify(all) } })
        return ''
      } catch (thrown) {
        return (thrown as Error).message
      }
    }
    const secret = 'x'.repeat(32)
    assert.equal(problemsOf({ algorithms: ['RS256'], jwksFile: 'keys.json' }), '')
    assert.equal(problemsOf({ algorithms: ['HS256'], secret }), '')
    assert.match(problemsOf({ algorithms: ['HS256'], jwksFile: 'keys.json' }), /HS\* go with secret alone/)
    assert.match(problemsOf({ algorithms: ['RS256'], secret }), /HS\* go with secret alone/)
    assert.match(problemsOf({ algorithms: ['RS256', 'HS256'], jwksFile: 'k' }), /HS\* go with secret alone/)
    assert.match(problemsOf({ algorithms: ['RS256'] }), /exactly one of jwksFile, jwksUrl and secret; 0 are set/)
    assert.match(problemsOf({ algorithms: ['none'], jwksFile: 'k' }), /auth\.jwt\.algorithms/)
    const short = problemsOf({ algorithms: ['HS256'], secret: 'too short a secret' })
    assert.match(short, /auth\.jwt\.secret/)
    assert.ok(!short.includes('too short a secret'))
  })
})
