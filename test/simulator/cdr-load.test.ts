import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../src/core/clock.ts'
import type { LabelledCdr } from '../../src/simulator/cdr-call.ts'
import { batchRecordsMax, runCdrLoad } from '../../src/simulator/cdr-load.ts'
import type { CdrDoor, Question, Receipt } from '../../src/simulator/cdr-receipt.ts'
import { CdrTraffic } from '../../src/simulator/cdr-traffic.ts'

/** A door that notes when batches came and how many waited. */
class SlowDoor implements CdrDoor {
  readonly windowMax = 4
  readonly resent = 0
  readonly reconnects = 0
  readonly questions: { readonly atMs: number; readonly from: string; readonly to: string }[] = []
  readonly batches: { readonly atMs: number; readonly records: number }[] = []
  readonly #answerMs: number
  waiting = 0
  waitingMax = 0

  constructor(answerMs: number) {
    this.#answerMs = answerMs
  }

  async send(lines: readonly string[]): Promise<Receipt> {
    this.batches.push({ atMs: systemClock.steadyMs(), records: lines.length })
    this.waitingMax = Math.max(this.waitingMax, ++this.waiting)
    await sleep(this.#answerMs)
    this.waiting--
    return { accepted: lines.length, duplicates: 0, rejected: 0 }
  }

  async ask({ from, to }: Question): Promise<string> {
    this.questions.push({ atMs: systemClock.steadyMs(), from, to })
    await sleep(3)
    if (this.questions.length === 5) throw new Error('no answer')
    return this.questions.length % 2 === 0 ? 'allow' : 'block'
  }

  close(): void {}
}

function load(door: CdrDoor, attempts: number, seconds: number, asksPerSecond?: number) {
  const source = new CdrTraffic({ plan: 'train', seed: 1, attempts, seconds })
  const sent: LabelledCdr[] = []
  const note = (cdr: LabelledCdr) => void sent.push(cdr)
  const report = runCdrLoad({ source, door, clock: systemClock, ...source.span, sent: note, asksPerSecond })
  return { sent, report, span: source.span }
}

test('records go out when their calls end, spread over the time', async () => {
  const door = new SlowDoor(1)
  const { report, sent, span } = load(door, 1000, 1)
  const { sent: count, accepted } = await report
  assert.equal(count, sent.length)
  assert.equal(accepted, count)
  assert.ok(count > 850 && count < 1010, `${count} of 1000`)
  const tookMs = door.batches.at(-1)!.atMs - door.batches[0]!.atMs
  assert.ok(tookMs > 800 && tookMs < 1600, `${tookMs} ms`)
  assert.ok(
    sent.every(({ emitUs }) => emitUs <= span.endUs),
    'calls that end later are not sent',
  )
})

test('a slow server makes the sender late, and loses nothing', async () => {
  const door = new SlowDoor(150)
  const { report, sent } = load(door, 6000, 0.2)
  const { lateness, accepted, answer } = await report
  assert.equal(accepted, sent.length)
  assert.equal(door.waitingMax, door.windowMax)
  assert.ok(door.batches.every(({ records }) => records <= batchRecordsMax))
  assert.ok(lateness.p99 > 100, `${lateness.p99} ms late`)
  assert.ok(answer.p50 >= 140, `answers after ${answer.p50} ms`)
})

test('a refusal ends the run', async () => {
  const door: CdrDoor = {
    windowMax: 4,
    resent: 0,
    reconnects: 0,
    ask: () => Promise.reject(new Error('refused')),
    send: () => Promise.reject(new Error('refused')),
    close: () => undefined,
  }
  await assert.rejects(load(door, 1000, 0.5).report, /refused/)
})

test('decisions are asked for at an even pace about the calls that go out, and counted by action', async () => {
  const door = new SlowDoor(1)
  const { report, sent } = load(door, 2000, 1, 50)
  const { decisions } = await report
  assert.ok(decisions !== undefined)
  assert.ok(decisions.asked > 35 && decisions.asked <= 50, `${decisions.asked} asked`)
  assert.equal(decisions.asked, door.questions.length)
  assert.ok(decisions.failed >= 1)
  assert.equal(decisions.answered + decisions.failed, decisions.asked)
  assert.equal((decisions.actions['allow'] ?? 0) + (decisions.actions['block'] ?? 0), decisions.answered)
  assert.ok(decisions.answer.p50 >= 3)
  const parties = new Set(sent.map(({ record }) => `${record.from}>${record.to}`))
  assert.ok(door.questions.every(({ from, to }) => parties.has(`${from}>${to}`)))
})
