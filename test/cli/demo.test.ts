import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { ApiKeys } from '../../src/access/api-keys.ts'
import { demoConfig, demoIngestKey, demoLog, welcomeLines } from '../../src/cli/demo.ts'
import { readDemoAccount } from '../../src/cli/demo-account.ts'
import { loadConfig } from '../../src/config/load.ts'
import { ManualClock } from '../../src/core/clock.ts'
import { capturedTerminal } from '../fakes/captured-terminal.ts'
import { lastingDirectory } from '../fakes/scratch.ts'

test('without a Twilio account the demo makes one for its run, with one it changes nothing', () => {
  const dataDir = lastingDirectory()
  const plain = loadConfig({ env: { VOICEFW__DATA_DIR: dataDir } })
  const config = demoConfig(plain)
  const account = config.twilio.accounts[0]
  assert.deepEqual(readDemoAccount(dataDir), { accountSid: account?.sid, authToken: account?.authTokens[0] })
  assert.equal(demoConfig(config), config)
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

test('the demo sends records with a key of its own, one at a time, that ends with it', () => {
  const dataDir = lastingDirectory()
  const clock = new ManualClock()
  const keys = new ApiKeys({ dataDir, clock, random: randomBytes })
  keys.create('ingest', 'carrier-a')
  demoIngestKey(dataDir, clock)
  const second = demoIngestKey(dataDir, clock)
  const standing = () =>
    keys
      .list()
      .filter(({ revokedAt }) => revokedAt === null)
      .map(({ name, role }) => `${name} ${role}`)
  assert.deepEqual(standing(), ['carrier-a ingest', 'demo switch ingest'])
  assert.equal(keys.verify(second.key)?.role, 'ingest')
  second.revoke()
  assert.deepEqual(standing(), ['carrier-a ingest'])
})
