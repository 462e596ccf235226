/** Who may send call records to a server as it runs, and who may see what was sent. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { projectRoot } from '../../src/core/project.ts'
import { call, openClient, post } from '../fakes/cdr-doors.ts'
import { eventually, type ServerProcess, startServer } from '../fakes/server-process.ts'

function makeKey(server: ServerProcess, role: string): string {
  const config = join(server.dataDir, 'test.yaml')
  const cli = join(projectRoot, 'dist/src/cli.js')
  const out = execFileSync(
    process.execPath,
    [cli, 'key', 'create', '--role', role, '--name', role, '--config', config],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  )
  return out.toString().trim().split('\n').at(-1) ?? ''
}

describe('call records', () => {
  it('may be sent with the role ingest only', async () => {
    const server = await startServer()
    try {
      const url = `${server.url}/v1/cdr?source=canonical`
      const body = JSON.stringify(call('x'))
      const send = async (headers: Record<string, string>): Promise<number> =>
        (await post(url, 'application/json', body, headers)).status
      assert.equal(await send({}), 401)
      assert.equal(await send({ authorization: 'Bearer wrong' }), 401)
      assert.equal(await send({ authorization: `Bearer ${server.key()}` }), 403, 'admin sends no records')
      const key = makeKey(server, 'ingest')
      // A running server looks for new keys once a second.
      await eventually('the new key to be known', async () => {
        const status = await send({ authorization: `Basic ${Buffer.from(`any:${key}`).toString('base64')}` })
        return status === 200 ? true : undefined
      })
      const refused = openClient(url.replace('http', 'ws'), { authorization: `Bearer ${server.key()}` })
      await assert.rejects(refused, /403/)
      const traffic = await eventually('traffic to show the call', async () => {
        const report = (await server.get('/v1/analytics/traffic')) as { routes: Record<string, unknown>[] }
        return report.routes[0]
      })
      assert.deepEqual([traffic['attempts'], traffic['cancelled'], traffic['ingress']], [1, 1, 'carrier-a'])
      const peeked = await fetch(`${server.url}/v1/analytics/traffic`, { headers: { authorization: `Bearer ${key}` } })
      assert.equal(peeked.status, 403, 'who sends records sees nothing')
    } finally {
      await server.end('SIGTERM')
    }
  })
})
