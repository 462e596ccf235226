/**
 * Fraud under kill -9: a campaign goes on while server and ClickHouse are killed with SIGKILL again and again. In the
 * end there is one case, and every call under it has exactly one row of scores. The tables are read directly.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import type { CaseView } from '../../src/decisions/case-view.ts'
import { EmbeddedStore } from '../../src/storage/embedded-store.ts'
import { call, post } from '../fakes/cdr-doors.ts'
import { makeKey } from '../fakes/keys.ts'
import { childrenOf } from '../fakes/process-tree.ts'
import { eventually, type ServerProcess, startServer } from '../fakes/server-process.ts'

const lure = '2215550001'
const config = { cdr: { windows: { latenessMs: 400 } } }

/** Sends calls that have just ended, ten at a time; what was not answered is sent again, then with the same times. */
class Campaign {
  /** By id, when it began: what the server has confirmed. */
  readonly taken = new Map<string, number>()
  #next = 0
  #waiting: Record<string, unknown>[] = []

  async send(server: ServerProcess, key: string): Promise<void> {
    while (this.#waiting.length < 10) {
      const endUs = Date.now() * 1000 + this.#waiting.length
      const startUs = endUs - 3_400_000
      const to = `4915112${30_000 + this.#next}`
      const id = `lure-${this.#next++}`
      this.#waiting.push(call(id, { from: lure, to, startUs, ringUs: startUs, endUs, releasedBy: 'caller' }))
    }
    const body = this.#waiting.map((record) => JSON.stringify(record)).join('\n')
    const headers = { authorization: `Bearer ${key}` }
    const { status } = await post(`${server.url}/v1/cdr?source=canonical`, 'application/x-ndjson', body, headers)
    if (status !== 200) throw new Error(`status ${status}`)
    for (const record of this.#waiting) this.taken.set(String(record['id']), Number(record['startUs']) / 1000)
    this.#waiting = []
  }

  async goOn(server: ServerProcess, key: string, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await this.send(server, key).catch(() => undefined)
      await sleep(30)
    }
  }

  /** Resolves when so many more calls are taken. */
  more(count: number): Promise<true> {
    const target = this.taken.size + count
    return eventually(`${count} more calls`, async () => (this.taken.size >= target ? true : undefined), 30_000)
  }
}

async function settled(server: ServerProcess): Promise<void> {
  await eventually(
    'all calls to be judged',
    async () => {
      const metrics = await (await fetch(`${server.url}/metrics`)).text()
      return /voicefw_fraud_unsettled_entries 0\n/.test(metrics) ? true : undefined
    },
    30_000,
  )
}

async function cases(server: ServerProcess): Promise<CaseView[]> {
  return ((await server.get('/v1/cases')) as { cases: CaseView[] }).cases
}

describe('number fraud', () => {
  it('has one case for one campaign and one score a call, whatever is killed, four times', async (t) => {
    const campaign = new Campaign()
    let server = await startServer({ config })
    const { dataDir } = server
    const key = makeKey(server, 'ingest')
    const ids = new Set<string>()
    for (let round = 0; round < 4; round++) {
      let isOver = false
      const sending = campaign.goOn(server, key, () => isOver)
      await campaign.more(120)
      const { id } = await eventually('the case', async () => (await cases(server))[0])
      ids.add(id)
      if (round % 2 === 0) for (const pid of childrenOf(server.child.pid ?? 0)) process.kill(pid, 'SIGKILL')
      await campaign.more(60)
      await server.end('SIGKILL')
      isOver = true
      await sending
      server = await startServer({ dataDir, config })
    }
    let isOver = false
    const sending = campaign.goOn(server, key, () => isOver)
    await campaign.more(100)
    isOver = true
    await sending
    await settled(server)
    const all = await cases(server)
    await server.end('SIGTERM')
    assert.deepEqual(
      all.map(({ id, kind, subject }) => [id, kind, subject.value]),
      [[[...ids].join(), 'wangiri', lure]],
    )
    const openedMs = Date.parse(all[0]?.openedAt ?? '')
    const under = [...campaign.taken].filter(([, startMs]) => startMs > openedMs)
    const { scored, tabled } = await stored(dataDir)
    assert.equal(scored.length, new Set(scored).size, 'none twice')
    const missing = under.filter(([id]) => !scored.includes(id))
    t.diagnostic(`${campaign.taken.size} calls, ${under.length} begun under the case, ${scored.length} scored`)
    assert.ok(under.length > 100)
    assert.deepEqual(missing, [])
    assert.deepEqual(tabled, [[all[0]?.id, 'open']])
  })
})

async function stored(dataDir: string): Promise<{ scored: string[]; tabled: unknown[] }> {
  const rooms = { dataDir, database: 'voicefw', counters: zeroCounters(), log: silentLog }
  const store = new EmbeddedStore({ ...rooms, memoryBytesMax: 1_073_741_824, requestTimeoutMs: 20_000 })
  await store.start()
  try {
    const scored = (await store.query('SELECT id FROM cdr_scores FINAL', {})).map(({ id }) => String(id))
    const tabled = (await store.query('SELECT id, state FROM cases FINAL', {})).map(({ id, state }) => [id, state])
    return { scored, tabled }
  } finally {
    await store.close()
  }
}
