import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeDemoAccount } from '../../src/cli/demo-account.ts'
import { type SimulateOptions, simulateCalls, targetOf } from '../../src/cli/simulate-calls.ts'
import { loadConfig } from '../../src/config/load.ts'
import { systemClock } from '../../src/core/clock.ts'
import { capturedTerminal } from '../fakes/captured-terminal.ts'
import { lastingDirectory } from '../fakes/scratch.ts'
import { type FakeServer, fakeServer } from '../fakes/twilio-server.ts'

function optionsFor(server: FakeServer, more: Partial<SimulateOptions> = {}): SimulateOptions {
  const { origin, publicUrl, accountSid, authToken } = server.target
  const url = origin.replace('http', 'ws')
  return { url, publicUrl, accountSid, authToken, streams: 2, seconds: 1, faults: false, seed: 1, json: true, ...more }
}

/** Recordings named by their truth. */
function recordings(): string {
  const folder = lastingDirectory()
  writeFileSync(join(folder, 'h.ul'), Buffer.alloc(8000, 0xff))
  writeFileSync(join(folder, 's.ul'), Buffer.alloc(8000, 0x7f))
  const list = [
    { file: 'h.ul', truth: 'bonafide' },
    { file: 's.ul', truth: 'spoof' },
  ]
  writeFileSync(join(folder, 'calls.json'), JSON.stringify(list))
  return folder
}

/** GET /v1/calls of a server that calls everything likely_human, over two pages. */
function callsPage(server: () => FakeServer): (path: string, request: IncomingMessage) => unknown {
  return (path, request) => {
    assert.equal(path, '/v1/calls')
    const all = server().webhooks.map(({ fields }) => ({
      callSid: fields.get('CallSid'),
      state: 'ended',
      tracks: [{ track: 'inbound', label: 'likely_human', score: 0.1, netSpeechMs: 900, lostMs: 0 }],
    }))
    const second = request.url?.includes('cursor=2')
    return second ? { calls: all.slice(1), next: null } : { calls: all.slice(0, 1), next: '2' }
  }
}

test('the report tells what was delivered, what the server judged beside the truth, and the own lateness', async () => {
  const audio = recordings()
  const server: FakeServer = await fakeServer({ json: callsPage(() => server) })
  try {
    const terminal = capturedTerminal()
    const context = { config: loadConfig({ env: {} }), clock: systemClock, terminal }
    const code = await simulateCalls(context, optionsFor(server, { audio, key: 'vf_x' }))
    assert.equal(code, 0, terminal.err.join('\n'))
    const report = JSON.parse(terminal.out[0] ?? '')
    assert.deepEqual([report.counts.placed, report.counts.mediaMessages], [2, 100])
    assert.deepEqual(report.verdicts, [
      { truth: 'bonafide', labels: { likely_human: 1 } },
      { truth: 'spoof', labels: { likely_human: 1 } },
    ])
    assert.ok(report.lateness.p99Ms > 0 && report.mediaMessagesPerSecond > 0)
  } finally {
    await server.close()
  }
})

test('without --json people get lines and a table of verdicts by truth', async () => {
  const audio = recordings()
  const server: FakeServer = await fakeServer({ json: callsPage(() => server) })
  try {
    const terminal = capturedTerminal()
    const context = { config: loadConfig({ env: {} }), clock: systemClock, terminal }
    await simulateCalls(context, optionsFor(server, { audio, key: 'vf_x', json: false, faults: true, seconds: 2 }))
    const text = terminal.out.join('\n')
    assert.match(text, /calls placed +2 of 2\n/)
    assert.match(text, /own lateness p50 \/ p99 \/ max +[\d.]+ \/ [\d.]+ \/ [\d.]+ ms\n/)
    assert.match(text, /truth +likely_human\nbonafide +1\nspoof +1/)
  } finally {
    await server.close()
  }
})

test('a server that refuses calls makes the run fail', async () => {
  const server = await fakeServer({ status: 403 })
  try {
    const terminal = capturedTerminal()
    const context = { config: loadConfig({ env: {} }), clock: systemClock, terminal }
    assert.equal(await simulateCalls(context, optionsFor(server, { json: false })), 1)
    assert.match(terminal.err.join('\n'), /refused 2 x: POST \/twilio\/voice was answered 403/)
  } finally {
    await server.close()
  }
})

test('the account is the given one, else the configured one, else that of the demo on this machine', () => {
  const dataDir = lastingDirectory()
  const sid = `AC${'a'.repeat(32)}`
  const bare = loadConfig({ env: { VOICEFW__DATA_DIR: dataDir } })
  const accounts = [{ sid, authTokens: ['configured'], apiBaseUrl: 'http://127.0.0.1:8090' }]
  const configured = { ...bare, twilio: { ...bare.twilio, accounts } }
  const options = { url: 'ws://127.0.0.1:9001', streams: 1, seconds: 1, faults: false, seed: 1, json: true }
  assert.throws(() => targetOf(bare, options), /no Twilio account/)
  const demo = makeDemoAccount(dataDir, Buffer.alloc)
  assert.deepEqual(targetOf(bare, options), {
    origin: 'http://127.0.0.1:9001',
    publicUrl: 'http://127.0.0.1:9001',
    ...demo,
  })
  assert.equal(targetOf(configured, options).authToken, 'configured')
  const [played] = accounts
  const real = { ...bare.twilio, accounts: [{ ...played!, apiBaseUrl: 'https://api.dublin.ie1.twilio.com' }] }
  assert.throws(() => targetOf({ ...bare, twilio: real }, options), /would ask https:\S+ about made-up calls/)
  const given = { ...options, accountSid: 'AC1', authToken: 'given' }
  assert.deepEqual([targetOf(configured, given).accountSid, targetOf(configured, given).authToken], ['AC1', 'given'])
})
