/**
 * Entry of the thread that judges recordings for the API: one after the other, through the same class as `voicefw
 * score`. What is wrong with a recording is answered; whatever else is thrown ends the thread.
 */
import assert from 'node:assert/strict'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { OperatingError } from '../core/errors.ts'
import { type RecordingResult, RecordingScorer, scoredChannel } from './recording-scorer.ts'
import type { FromScore, ScoreStart, ToScore } from './score-thread.ts'

async function main(port: MessagePort, start: ScoreStart): Promise<void> {
  const loading = RecordingScorer.create(start)
  const { channelsMax, audioSMax } = start.voice.scoring
  const answer = async ({ id, file, bytes }: ToScore): Promise<FromScore> => {
    const results: RecordingResult[] = []
    try {
      const recording = { file, read: async () => bytes, channelsMax, audioSMax }
      await (await loading).score([recording], (result) => results.push(result))
    } catch (thrown) {
      if (!(thrown instanceof OperatingError)) throw thrown
      return { id, code: thrown.code, detail: thrown.message }
    }
    const [result] = results
    assert(result !== undefined)
    if ('error' in result) return { id, code: result.error.code, detail: result.error.message }
    return { id, channels: result.verdicts.map((verdict, channel) => scoredChannel(file, channel, verdict)) }
  }
  let turn: Promise<void> = Promise.resolve()
  // Listening comes before loading: it keeps the event loop alive.
  port.on('message', (job: ToScore) => {
    turn = turn.then(async () => port.postMessage(await answer(job)))
  })
  // Told to each recording that asks.
  loading.catch(() => undefined)
}

assert(parentPort !== null, 'score.worker runs as a worker thread')
await main(parentPort, workerData as ScoreStart)
