import assert from 'node:assert/strict'
import { copyFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { connect, type TLSSocket } from 'node:tls'
import WebSocket from 'ws'
import { systemClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { keepCertificate } from '../../src/house/certificate.ts'
import { createHttpServer } from '../../src/http/server.ts'
import { checkTlsFiles, tlsFingerprint } from '../../src/http/tls-files.ts'
import { selfSigned } from '../fakes/certificate.ts'
import { lastingDirectory } from '../fakes/scratch.ts'
import { until } from '../fakes/until.ts'

const directory = lastingDirectory()

/** A self-signed certificate for `name`. */
function pair(name: string): { certFile: string; keyFile: string } {
  const files = { certFile: join(directory, `${name}.crt`), keyFile: join(directory, `${name}.key`) }
  const { cert, key } = selfSigned(name)
  writeFileSync(files.certFile, cert)
  writeFileSync(files.keyFile, key)
  return files
}

function put(from: { certFile: string; keyFile: string }, to: { certFile: string; keyFile: string }): void {
  copyFileSync(from.keyFile, to.keyFile)
  copyFileSync(from.certFile, to.certFile)
}

function nameAt(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN))
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((listening) => probe.listen(0, '127.0.0.1', listening))
  const { port } = probe.address() as { port: number }
  await new Promise((closed) => probe.close(closed))
  return port
}

describe('certificate files', () => {
  it('that are missing, damaged or do not belong together are a problem of the configuration', () => {
    const [a, b] = [pair('one.example.com'), pair('two.example.com')]
    checkTlsFiles(a)
    const bad = [
      { ...a, certFile: join(directory, 'absent') },
      { ...a, keyFile: b.keyFile },
      { ...a, certFile: a.keyFile },
    ]
    for (const files of bad) assert.throws(() => checkTlsFiles(files), { code: 'config_invalid' })
  })

  it('are taken over when they change; sockets that stand live on, a bad pair changes nothing', async () => {
    const [a, b] = [pair('a.example.com'), pair('b.example.com')]
    const tls = { certFile: join(directory, 'live.crt'), keyFile: join(directory, 'live.key') }
    put(a, tls)
    const counters = zeroCounters()
    const limits = { bodyBytesMax: 4096, bodyTimeoutMs: 5000 }
    const server = createHttpServer({ log: silentLog, counters, clock: systemClock, limits, tls })
    server.route({ method: 'GET', pattern: '/x', answer: () => ({ status: 204 }) })
    server.socket<string>({
      ...{ pattern: '/ws', messageBytesMax: 4096, idleTimeoutSeconds: 60, open: () => {}, close: () => {} },
      upgrade: () => ({ accept: '' }),
      message: (socket, _state, bytes) => void socket.send(Buffer.from(bytes).toString()),
    })
    const port = await server.listen('127.0.0.1', await freePort())
    const certificate = keepCertificate({ tls, server, log: silentLog, counters, lookMs: 20 })
    assert.equal(await nameAt(port), 'a.example.com')
    const old = new WebSocket(`wss://127.0.0.1:${port}/ws`, { rejectUnauthorized: false })
    await new Promise((opened) => old.once('open', opened))

    const before = tlsFingerprint(tls)
    put(b, tls)
    assert.notEqual(tlsFingerprint(tls), before)
    await until(() => counters.tlsReloads > 0)
    assert.equal(await nameAt(port), 'b.example.com')
    const echoed = new Promise((said) => old.once('message', (text) => said(String(text))))
    old.send('still here')
    assert.equal(await echoed, 'still here')

    copyFileSync(a.keyFile, tls.keyFile)
    await certificate.reload()
    assert.equal(await nameAt(port), 'b.example.com')
    put(a, tls)
    await certificate.reload()
    assert.equal(await nameAt(port), 'a.example.com')
    certificate.stop()
    old.terminate()
    server.close()
  })
})
