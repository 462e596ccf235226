import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { demoConfig, demoLog, welcomeLines } from '../../src/cli/demo.ts'
import { readDemoAccount } from '../../src/cli/demo-account.ts'
import { loadConfig } from '../../src/config/load.ts'
import { capturedTerminal } from '../fakes/captured-terminal.ts'

test('without a Twilio account the demo makes one for its run, with one it changes nothing', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'voicefw-demo-'))
  try {
    const plain = loadConfig({ env: { VOICEFW__DATA_DIR: dataDir } })
    const config = demoConfig(plain)
    const account = config.twilio.accounts[0]
    assert.deepEqual(readDemoAccount(dataDir), { accountSid: account?.sid, authToken: account?.authTokens[0] })
    assert.equal(demoConfig(config), config)
  } finally {
    rmSync(dataDir, { recursive: true })
  }
})

test('demo logs are lines for people, and only those somebody should look at', () => {
  const terminal = capturedTerminal()
  const log = demoLog(terminal).child({ worker: 1 })
  log.info('listening')
  log.warn('worker replaced', { reason: 'hung' })
  assert.deepEqual(terminal.err, ['warn  worker replaced  worker=1  reason=hung'])
})

test('the dashboard address carries the key behind #, where no server log sees it', () => {
  assert.match(welcomeLines('http://127.0.0.1:8080', 'vf_1_2').join('\n'), / http:\/\/127\.0\.0\.1:8080\/#key=vf_1_2\n/)
})
