/**
 * Entry of a second stage's thread: one model, windows in, ratios out, one after the other. Whatever it throws ends the
 * thread; who started it begins another.
 */
import assert from 'node:assert/strict'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../core/clock.ts'
import { OperatingError } from '../core/errors.ts'
import { WindowSession } from '../inference/window-session.ts'
import type { FromJudge, JudgeStart, ToJudge } from './judge-thread.ts'

async function main(port: MessagePort, { model, hopMs }: JudgeStart): Promise<void> {
  let turn: Promise<void> = Promise.resolve()
  const send = (message: FromJudge): void => port.postMessage(message)
  const loading = WindowSession.load(model, 1, hopMs)
  // Listening comes before loading: it keeps the event loop alive.
  port.on('message', (message: ToJudge) => {
    if (message.kind === 'stop') {
      port.close()
      return
    }
    turn = turn.then(async () => {
      const session = await loading
      const beganMs = systemClock.steadyMs()
      session.input.set(message.window)
      await session.run(1)
      send({ kind: 'judged', id: message.id, llr: session.llr(0), busyMs: systemClock.steadyMs() - beganMs })
    })
  })
  try {
    await loading
    send({ kind: 'ready' })
  } catch (thrown) {
    if (!(thrown instanceof OperatingError)) throw thrown
    send({ kind: 'refused', detail: thrown.message })
    port.close()
  }
}

assert(parentPort !== null, 'judge.worker runs as a worker thread')
await main(parentPort, workerData as JudgeStart)
