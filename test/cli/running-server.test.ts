/** A command that asks the server beside it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { it } from 'node:test'
import { withServer } from '../../src/cli/running-server.ts'
import { loadConfig } from '../../src/config/load.ts'
import { systemClock } from '../../src/core/clock.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

it('says that something else answers there, and how to name the server', async (t) => {
  const server = createServer((_, response) => response.end('<h1>It works!</h1>')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const config = { ...loadConfig({ env: {} }), dataDir: scratchDirectory(t) }
  const asked = withServer({ config, clock: systemClock }, url, ({ ask }) => ask('GET', '/v1/backups'))
  await assert.rejects(asked, {
    message: `what answers at ${url} is no voicefw (200); say with --url where it listens`,
  })
})
