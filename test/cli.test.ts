import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { projectRoot } from '../src/core/project.ts'
import { lastingDirectory } from './fakes/scratch.ts'

function voicefw(args: string[], env: Record<string, string> = {}): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(projectRoot, 'dist/src/cli.js'), ...args], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  })
  return { code: status, out: stdout, err: stderr }
}

test('help and version are good answers', () => {
  const help = voicefw(['--help']).out
  for (const command of ['serve', 'score', 'simulate', 'doctor', 'key'])
    assert.match(help, new RegExp(`^ +${command} `, 'm'))
  assert.deepEqual(voicefw(['--version']).code, 0)
  const { code, out } = voicefw(['simulate', 'calls', '--help'])
  assert.equal(code, 0)
  assert.match(out, /--config <file>/)
})

test('bad usage exits 2 and says what was wrong', () => {
  const calls = ['simulate', 'calls', '--url', 'ws://127.0.0.1:1', '--streams', '1', '--seconds', '1']
  const cases: [string[], RegExp][] = [
    [['bogus'], /unknown command 'bogus'/],
    [['score'], /missing required argument 'path'/],
    [['serve', '--nonsense'], /unknown option '--nonsense'/],
    [['simulate', 'calls', '--url', 'http://x', '--streams', '1', '--seconds', '1'], /must be a WebSocket URL/],
    [['simulate', 'calls', '--url', 'ws://x', '--streams', 'many', '--seconds', '1'], /whole number from 1 to 20000/],
    [[...calls, '--auth-token', 'secret'], /must be env:NAME or file:PATH/],
    [[...calls, '--auth-token', 'env:NOT_SET_ANYWHERE'], /NOT_SET_ANYWHERE is not set/],
    [['simulate', 'cdr'], /--records FILE, --url URL, or both/],
    [
      ['simulate', 'cdr', '--records', '/tmp/x', '--prevalence', 'flash=0.1'],
      /no kind "flash"; there are all, flash_call/,
    ],
    [['simulate', 'cdr', '--records', '/tmp/x', '--plan', 'moon'], /Allowed choices are train, test/],
    [['simulate', 'cdr', '--records', '/tmp/x', '--seconds', '1', '--hours', '1'], /cannot be used with option/],
    [['simulate', 'cdr', '--url', 'ftp://x'], /must be an http\(s\) or WebSocket URL/],
    [['simulate', 'cdr', '--records', '/tmp/x', '--rate', '0'], /must be a number above 0/],
    [['key', 'create', '--role', 'viewer'], /required option '--name <name>'/],
  ]
  for (const [args, pattern] of cases) {
    const { code, err } = voicefw(args)
    assert.equal(code, 2, args.join(' '))
    assert.match(err, pattern)
  }
})

test('a bad configuration exits 2 with all its problems', () => {
  const env = { VOICEFW__SERVER__PORT: '-1', VOICEFW__NONSENSE: '3' }
  const { code, err } = voicefw(['serve'], env)
  assert.equal(code, 2)
  assert.match(err, /2 problem\(s\)/)
  assert.match(err, /server\.port: got -1/)
  assert.match(err, /unknown key "nonsense"/)
})

test('key create prints the key alone on stdout', () => {
  const dataDir = lastingDirectory()
  const { code, out } = voicefw(['key', 'create', '--role', 'admin', '--name', 'me'], { VOICEFW__DATA_DIR: dataDir })
  assert.equal(code, 0)
  assert.match(out, /^vf_[0-9a-f]{12}_[A-Za-z0-9_-]{43}\n$/)
})
