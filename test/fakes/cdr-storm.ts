/**
 * Senders of call records at their worst, for tests of "exactly once": they send again what was not answered and some
 * of what was, the same record twice in a message, records out of order, and bodies and frames that break off in the
 * middle. What was sent is known, and every answer is checked against it.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { encode } from '@msgpack/msgpack'
import { type Random, seededRandom } from '../../src/simulator/seeded-random.ts'
import { openClient, post } from './cdr-doors.ts'
import { stormRecord } from './cdr-storm-records.ts'

interface StormBatch {
  readonly records: readonly Record<string, unknown>[]
  /** Places of records that must be rejected. */
  readonly bad: readonly number[]
}

interface Answer {
  readonly accepted: number
  readonly duplicates: number
  readonly rejected: readonly unknown[]
}

interface Target {
  readonly url: string
  readonly key: string
  /** True: stop as soon as what was begun is answered. */
  readonly isOver: () => boolean
}

const recordsPerBatch = 40
const batchesInFlight = 10
/** Of batches, and of records in a new batch. */
const unansweredShare = 0.6
const againShare = 0.05
const twiceShare = 0.03
const badShare = 0.02

export class CdrStorm {
  /** Ids of good records that went out at least once, wholly or in part. */
  readonly sent = new Set<string>()
  /** Ids of records that must be rejected. */
  readonly bad = new Set<string>()
  readonly rejected = new Set<string>()
  /** As answered; answers that a kill swallowed are not in them. */
  accepted = 0
  duplicates = 0
  batchesAnswered = 0
  brokenOff = 0
  readonly #unanswered: StormBatch[] = []
  readonly #answered: StormBatch[] = []
  readonly #random: Random
  #next = 0
  #onlyRest = false

  constructor(seed: number) {
    this.#random = seededRandom(seed)
  }

  get unanswered(): number {
    return this.#unanswered.length
  }

  /** Five senders: HTTP, two encodings over WebSocket, and two that break off. Resolves when all have stopped. */
  async rage(target: Target): Promise<void> {
    const senders = [
      this.#post(target),
      this.#socket(target, 'msgpack'),
      this.#socket(target, 'json'),
      this.#breakBodies(target),
      this.#breakFrames(target),
    ]
    await Promise.all(senders)
  }

  /** Sends what is still unanswered, and nothing new. */
  async settle(target: Omit<Target, 'isOver'>): Promise<void> {
    this.#onlyRest = true
    await this.#post({ ...target, isOver: () => this.#unanswered.length === 0 })
    this.#onlyRest = false
  }

  /** Mostly what was not answered, in any order; now and then something that was answered goes again. */
  #take(): StormBatch {
    const waiting = this.#unanswered.length
    const again = waiting > 0 && (this.#onlyRest || this.#random() < unansweredShare)
    if (again) return this.#unanswered.splice(Math.floor(this.#random() * waiting), 1)[0]!
    if (this.#random() < againShare && this.#answered.length > 0) {
      return this.#answered[Math.floor(this.#random() * this.#answered.length)]!
    }
    return this.#fresh()
  }

  #fresh(): StormBatch {
    const records: Record<string, unknown>[] = []
    while (records.length < recordsPerBatch) {
      const id = `k${this.#next}`
      const record = stormRecord(this.#next++, id, this.#random)
      if (this.#random() < badShare) {
        this.bad.add(id)
        records.push({ ...record, startUs: 'yesterday' })
        continue
      }
      this.sent.add(id)
      records.push(record)
      // A, B, A: later in the same message.
      if (this.#random() < twiceShare) records.splice(Math.floor(this.#random() * records.length), 0, record)
    }
    for (let at = records.length - 1; at > 0; at -= 1) {
      const other = Math.floor(this.#random() * (at + 1))
      ;[records[at], records[other]] = [records[other]!, records[at]!]
    }
    const bad = records.flatMap(({ startUs }, index) => (startUs === 'yesterday' ? [index] : []))
    return { records, bad }
  }

  #done(batch: StormBatch, { accepted, duplicates, rejected }: Answer): void {
    const places = rejected.map((each) => Number((each as { index: number }).index))
    assert.deepEqual(places, batch.bad, 'exactly the bad records are rejected')
    assert.equal(
      accepted + duplicates + rejected.length,
      batch.records.length,
      'every record of a message has its fate',
    )
    for (const place of places) this.rejected.add(String(batch.records[place]?.['id']))
    this.accepted += accepted
    this.duplicates += duplicates
    this.batchesAnswered += 1
    if (this.#answered.length < 500) this.#answered.push(batch)
  }

  async #post({ url, key, isOver }: Target): Promise<void> {
    const headers = { authorization: `Basic ${Buffer.from(`switch:${key}`).toString('base64')}` }
    while (!isOver()) {
      const batch = this.#take()
      let answer: Answer
      try {
        const got = await post(`${url}/v1/cdr?source=canonical`, 'application/x-ndjson', linesOf(batch), headers)
        if (got.status !== 200) throw new Error(`status ${got.status}`)
        answer = got.body as unknown as Answer
      } catch {
        this.#unanswered.push(batch)
        await sleep(20)
        continue
      }
      this.#done(batch, answer)
    }
  }

  async #socket(target: Target, encoding: 'msgpack' | 'json'): Promise<void> {
    while (!target.isOver()) {
      const waiting = new Map<number, StormBatch>()
      try {
        await this.#connection(target, encoding, waiting)
      } catch (thrown) {
        if (thrown instanceof assert.AssertionError) throw thrown
        await sleep(20)
      }
      this.#unanswered.push(...waiting.values())
    }
  }

  async #connection(target: Target, encoding: 'msgpack' | 'json', waiting: Map<number, StormBatch>): Promise<void> {
    const url = `${target.url.replace('http', 'ws')}/v1/cdr?source=canonical`
    const client = await openClient(url, { authorization: `Bearer ${target.key}` })
    let seq = 0
    let seen = 0
    while (client.socket.readyState === 1 && (!target.isOver() || waiting.size > 0)) {
      for (; seen < client.acks.length; seen += 1) {
        const ack = client.acks[seen]!
        const batch = waiting.get(ack.ack)
        assert.ok(batch, `an answer to ${ack.ack}, which was not asked`)
        assert.equal(ack.ack, [...waiting.keys()][0], 'answers come in order')
        waiting.delete(ack.ack)
        this.#done(batch, ack)
      }
      if (waiting.size < batchesInFlight && !target.isOver()) {
        const batch = this.#take()
        waiting.set(++seq, batch)
        client.send(seq, [...batch.records], encoding)
      }
      await sleep(2)
    }
    client.socket.terminate()
  }

  /** Half a body, and gone. */
  async #breakBodies({ url, key, isOver }: Target): Promise<void> {
    const { hostname, port } = new URL(url)
    while (!isOver()) {
      const batch = this.#take()
      const body = linesOf(batch)
      const head =
        `POST /v1/cdr?source=canonical HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${key}\r\n` +
        `Content-Type: application/x-ndjson\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`
      await breakOff(connect(Number(port), hostname), head + body.slice(0, Math.floor(body.length * this.#random())))
      this.brokenOff += 1
      this.#unanswered.push(batch)
      await sleep(40)
    }
  }

  /** A whole message whose answer is not waited for, then half a frame, and gone. */
  async #breakFrames(target: Target): Promise<void> {
    while (!target.isOver()) {
      const [whole, half] = [this.#take(), this.#take()]
      try {
        const socket = await upgraded(target)
        const frame = frameOf(encode({ seq: 2, events: half.records }))
        const part = frame.subarray(0, Math.floor(frame.length * this.#random()))
        await breakOff(socket, Buffer.concat([frameOf(encode({ seq: 1, events: whole.records })), part]))
        this.brokenOff += 1
      } catch {
        await sleep(20)
      }
      this.#unanswered.push(whole, half)
      await sleep(40)
    }
  }
}

function linesOf(batch: StormBatch): string {
  return batch.records.map((record) => JSON.stringify(record)).join('\n')
}

/** Writes, waits a little, and resets the connection. */
async function breakOff(socket: Socket, bytes: string | Buffer): Promise<void> {
  socket.on('error', () => undefined)
  socket.write(bytes)
  await sleep(5)
  socket.resetAndDestroy()
}

/** A connection after its upgrade, as bytes. */
async function upgraded({ url, key }: Target): Promise<Socket> {
  const asked = request(`${url}/v1/cdr?source=canonical`, {
    headers: {
      Authorization: `Bearer ${key}`,
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Version': '13',
    },
  })
  asked.end()
  const [, socket] = (await once(asked, 'upgrade')) as [unknown, Socket]
  return socket
}

/** A masked binary frame (RFC 6455, 5.2), its mask zero. */
function frameOf(payload: Uint8Array): Buffer {
  assert.ok(payload.length > 125 && payload.length < 65_536)
  const head = Buffer.from([0x82, 0x80 | 126, payload.length >> 8, payload.length & 0xff, 0, 0, 0, 0])
  return Buffer.concat([head, payload])
}
