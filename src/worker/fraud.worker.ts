/**
 * Entry of the fraud worker thread: takes messages one after the other, answers rows with what came of them, and beats
 * in shared memory while it is alive. Whatever it throws ends the thread; its owner puts another in its place.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import { NumberPlaces } from '../wire/number-places.ts'
import { loadFlashCallScorer } from './flash-call-scorer.ts'
import { FraudLoop } from './fraud-loop.ts'
import type { FraudQuestion, FraudStart, FromFraud, ToFraud } from './fraud-protocol.ts'
import { scoreRecords } from './fraud-score.ts'

const beatMs = 100

assert(parentPort !== null, 'fraud.worker runs as a worker thread')
const port: MessagePort = parentPort
const start = workerData as FraudStart
const beats = new Int32Array(start.beat)
const beat = (): void => void Atomics.add(beats, 0, 1)
setInterval(beat, beatMs)

const { name, scorer } = await loadFlashCallScorer()
const places = new NumberPlaces(start.placeKey)
const loop = new FraudLoop({
  cdr: start.cdr,
  scorer,
  places,
  newCaseId: randomUUID,
  wallMs: () => systemClock.wallMs(),
  steadyMs: () => systemClock.steadyMs(),
  beat,
})

/** One after the other: the model is asked in between. */
let turn: Promise<void> = Promise.resolve()
port.on('message', (message: ToFraud) => {
  turn = turn.then(() => take(message))
})
send({ kind: 'ready', scorer: name })

async function take(message: ToFraud): Promise<void> {
  beat()
  switch (message.kind) {
    case 'begin':
      return loop.begin(message.seeds, message.quiet)
    case 'rows': {
      const done = await loop.take(message)
      return send({ kind: 'done', ...done }, done.scores)
    }
    case 'decided':
      return loop.decided(message)
    case 'ask':
      return answer(message.id, message.question)
    case 'stop':
      return process.exit()
    case 'fault':
      assert(start.faults, 'a fault message, but faults are not allowed')
      if (message.fault === 'throw') throw new Error('a fault was asked for')
      for (;;);
    default:
      assert.fail(`unknown message ${JSON.stringify(message satisfies never)}`)
  }
}

async function answer(id: number, question: FraudQuestion): Promise<void> {
  try {
    const value =
      question.of === 'number'
        ? loop.number(question.digits)
        : await scoreRecords(question.body, question.format, start.cdr, scorer, places)
    send({ kind: 'answer', id, value, problem: null })
  } catch (thrown) {
    send({ kind: 'answer', id, value: null, problem: messageOf(thrown) })
  }
}

function send(message: FromFraud, transferred: readonly Uint8Array[] = []): void {
  port.postMessage(
    message,
    transferred.map((each) => each.buffer as ArrayBuffer),
  )
}
