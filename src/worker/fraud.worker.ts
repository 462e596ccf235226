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
import { loadFlashCallScorer, type NamedScorer } from './flash-call-scorer.ts'
import { FlashScoring } from './flash-scoring.ts'
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

const folders = start.flashCall
const active = await loadFlashCallScorer(folders === undefined ? undefined : (folders.active ?? 'rule'))
const scorer = new FlashScoring(active, {
  cpuShareMax: folders?.cpuShareMax ?? 0,
  steadyMs: () => systemClock.steadyMs(),
})
if (folders?.candidate) scorer.shadow(await loadFlashCallScorer(folders.candidate))
/** Loaded to be used soon; the last one asked for. */
let prepared: { readonly dir: string; readonly model: NamedScorer } | null = null
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
send({ kind: 'ready', scorer: active.name })

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
    case 'useModel':
      assert(prepared?.dir === message.dir, 'a model that was not loaded')
      return scorer.use(prepared.model)
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
    send({ kind: 'answer', id, value: await answerTo(question), problem: null })
  } catch (thrown) {
    send({ kind: 'answer', id, value: null, problem: messageOf(thrown) })
  }
}

async function answerTo(question: FraudQuestion): Promise<unknown> {
  switch (question.of) {
    case 'number':
      return loop.number(question.digits)
    case 'score':
      return scoreRecords(question.body, question.format, start.cdr, scorer.unwatched(), places)
    case 'model':
      prepared = { dir: question.dir, model: await loadFlashCallScorer(question.dir) }
      return prepared.model.name
    case 'candidate':
      return scorer.shadow(question.dir === null ? null : await loadFlashCallScorer(question.dir))
    default:
      assert.fail(`unknown question ${JSON.stringify(question satisfies never)}`)
  }
}

function send(message: FromFraud, transferred: readonly Uint8Array[] = []): void {
  port.postMessage(
    message,
    transferred.map((each) => each.buffer as ArrayBuffer),
  )
}
