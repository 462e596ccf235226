import assert from 'node:assert/strict'
import { test } from 'node:test'
import { simulateTwilio } from '../../src/cli/simulate-twilio.ts'
import { loadConfig } from '../../src/config/load.ts'
import { systemClock } from '../../src/core/clock.ts'
import { capturedTerminal } from '../fakes/captured-terminal.ts'
import { fakeServer } from '../fakes/twilio-server.ts'

const context = () => ({ config: loadConfig({ env: {} }), clock: systemClock, terminal: capturedTerminal() })

test('calls ring at the server, stream, and end; events and counts are told', async (t) => {
  const server = await fakeServer()
  t.after(() => server.close())
  const { origin: url, publicUrl, accountSid, authToken } = server.target
  const target = { url, publicUrl, accountSid, authToken }
  const run = context()
  const code = await simulateTwilio(run, { ...target, port: 0, calls: 2, seconds: 1, webhook: true, json: true })
  assert.equal(code, 0, run.terminal.err.join('\n'))
  assert.match(run.terminal.err[0] ?? '', /played at http:\/\/127\.0\.0\.1:\d+; set it as twilio\.accounts/)
  const lines = run.terminal.out.map((line) => JSON.parse(line))
  const { summary } = lines.at(-1)
  assert.deepEqual(summary, { calls: 2, streams: 2, redirects: 0, hangUps: 0, requests: {} })
  assert.equal(lines.filter(({ event }) => event === 'ended').length, 2)
  assert.ok(server.sockets.every(({ signatureValid, closeCode }) => closeCode === 1000 && signatureValid))
})

test('a server that refuses its calls makes it fail, and calls without the webhook need no server', async (t) => {
  const server = await fakeServer({ status: 503 })
  t.after(() => server.close())
  const { origin: url, publicUrl, accountSid, authToken } = server.target
  const options = { url, publicUrl, accountSid, authToken, port: 0, calls: 1, seconds: 1, json: false }
  const refused = context()
  assert.equal(await simulateTwilio(refused, { ...options, webhook: true }), 1)
  assert.match(refused.terminal.err[1] ?? '', /answered 503/)
  const alone = context()
  assert.equal(await simulateTwilio(alone, { ...options, webhook: false }), 0)
  assert.match(alone.terminal.out[0] ?? '', /CA[0-9a-f]{32} {2}placed/)
})
