import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeDemoAccount, readDemoAccount } from '../../src/cli/demo-account.ts'
import { lastingDirectory } from '../fakes/scratch.ts'

test('a demo account is new each time, private, and found again on the same machine', () => {
  const dataDir = lastingDirectory()
  assert.equal(readDemoAccount(dataDir), undefined)
  const first = makeDemoAccount(dataDir, randomBytes)
  const second = makeDemoAccount(dataDir, randomBytes)
  assert.match(second.accountSid, /^AC[0-9a-f]{32}$/)
  assert.notEqual(first.authToken, second.authToken)
  assert.deepEqual(readDemoAccount(dataDir), second)
  assert.equal(statSync(join(dataDir, 'demo-account.json')).mode & 0o777, 0o600)
  writeFileSync(join(dataDir, 'demo-account.json'), '{"accountSid":"AC1"}')
  assert.equal(readDemoAccount(dataDir), undefined)
})
