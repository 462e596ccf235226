/**
 * Every record that was sent is stored exactly once or was rejected: senders over HTTP and WebSocket go on, and send
 * again what was not answered (and some of what was), while the server and its ClickHouse child are killed with
 * SIGKILL. Then the tables are read directly.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { EmbeddedStore } from '../../src/storage/embedded-store.ts'
import { call, openClient, post } from '../fakes/cdr-doors.ts'
import { makeKey } from '../fakes/keys.ts'
import { childrenOf } from '../fakes/process-tree.ts'
import { eventually, type ServerProcess, startServer } from '../fakes/server-process.ts'

interface Batch {
  readonly records: Record<string, unknown>[]
}

const recordsPerBatch = 40
const aheadUs = 7_200_000_000

/** What all senders have sent, and what is still to be answered. */
class Feed {
  readonly sent = new Set<string>()
  readonly unanswered: Batch[] = []
  readonly answered: Batch[] = []
  rejected = 0
  #next = 0

  /** What was not answered goes first; now and then something that was answered goes again. */
  take(): Batch {
    const waiting = this.unanswered.shift()
    if (waiting !== undefined) return waiting
    if (this.#next % 400 === 0 && this.answered.length > 0) {
      this.#next += recordsPerBatch
      return this.answered[this.#next % this.answered.length] as Batch
    }
    const records = Array.from({ length: recordsPerBatch }, () => {
      const id = `k${this.#next++}`
      this.sent.add(id)
      // Half of them with a start that the memory of ids certainly covers: these count in the roll-up.
      const startUs = Date.now() * 1000 + (this.#next % 2 === 0 ? aheadUs : -5_000_000)
      return call(id, { startUs, endUs: startUs + 4_000_000 })
    })
    return { records: [...records, { id: 'no times' }] }
  }

  done(batch: Batch, rejected: number): void {
    assert.equal(rejected, 1)
    this.answered.push(batch)
  }
}

async function sendHttp(server: ServerProcess, key: string, feed: Feed, until: () => boolean): Promise<void> {
  const headers = { authorization: `Basic ${Buffer.from(`switch:${key}`).toString('base64')}` }
  while (!until()) {
    const batch = feed.take()
    try {
      const body = batch.records.map((record) => JSON.stringify(record)).join('\n')
      const answer = await post(`${server.url}/v1/cdr?source=canonical`, 'application/x-ndjson', body, headers)
      if (answer.status !== 200) throw new Error(`status ${answer.status}`)
      feed.done(batch, (answer.body['rejected'] as unknown[]).length)
    } catch {
      feed.unanswered.push(batch)
      await sleep(20)
    }
  }
}

async function sendSocket(server: ServerProcess, key: string, feed: Feed, until: () => boolean): Promise<void> {
  while (!until()) {
    const waiting = new Map<number, Batch>()
    let seq = 0
    try {
      const url = `${server.url.replace('http', 'ws')}/v1/cdr?source=canonical`
      const client = await openClient(url, { authorization: `Bearer ${key}` })
      let seen = 0
      while (client.socket.readyState === 1 && (!until() || waiting.size > 0)) {
        for (; seen < client.acks.length; seen += 1) {
          const ack = client.acks[seen]
          assert.ok(ack)
          feed.done(waiting.get(ack.ack) as Batch, ack.rejected.length)
          waiting.delete(ack.ack)
        }
        if (waiting.size < 10 && !until()) {
          const batch = feed.take()
          waiting.set(++seq, batch)
          client.send(seq, batch.records, seq % 2 === 0 ? 'json' : 'msgpack')
        }
        await sleep(2)
      }
      client.socket.terminate()
    } catch {
      await sleep(20)
    }
    feed.unanswered.push(...waiting.values())
  }
}

async function stored(dataDir: string): Promise<{ ids: string[]; counted: number; future: number }> {
  const rooms = { dataDir, database: 'voicefw', counters: zeroCounters(), log: silentLog }
  const store = new EmbeddedStore({ ...rooms, memoryBytesMax: 1_073_741_824, requestTimeoutMs: 20_000 })
  await store.start()
  try {
    const ids = (await store.query('SELECT id FROM cdrs', {})).map(({ id }) => String(id))
    const [counted] = await store.query('SELECT sum(attempts) AS n FROM traffic_minutes', {})
    const [future] = await store.query('SELECT countIf(NOT backfill) AS n FROM cdrs', {})
    return { ids, counted: Number(counted?.['n']), future: Number(future?.['n']) }
  } finally {
    await store.close()
  }
}

describe('call records', () => {
  it('are stored exactly once each although server and ClickHouse are killed under load, three times', async (t) => {
    const feed = new Feed()
    let server = await startServer()
    const { dataDir } = server
    const key = makeKey(server, 'ingest')
    for (let round = 0; round < 3; round += 1) {
      let over = false
      const senders = [sendHttp, sendHttp, sendSocket, sendSocket].map((send) => send(server, key, feed, () => over))
      await sleep(700)
      for (const pid of childrenOf(server.child.pid ?? 0)) process.kill(pid, 'SIGKILL')
      await sleep(900)
      await server.end('SIGKILL')
      over = true
      await Promise.all(senders)
      server = await startServer({ dataDir })
    }
    const sendRest = [sendHttp, sendSocket].map((send) => send(server, key, feed, () => feed.unanswered.length === 0))
    await Promise.all(sendRest)
    await eventually('the log to be drained', async () => {
      const metrics = await (await fetch(`${server.url}/metrics`)).text()
      return /voicefw_cdr_waiting_entries 0\n/.test(metrics) ? true : undefined
    })
    await server.end('SIGTERM')
    const { ids, counted, future } = await stored(dataDir)
    assert.ok(feed.sent.size > 2000, `${feed.sent.size} sent`)
    assert.equal(ids.length, new Set(ids).size, 'none twice')
    assert.deepEqual(new Set(ids), feed.sent, 'sent = stored (what was rejected has no id)')
    assert.ok(future > 100)
    t.diagnostic(`${feed.sent.size} records sent, ${ids.length} stored`)
    assert.equal(counted, future, 'the roll-up counts what the table holds')
  })

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
