/**
 * Entry of a voice worker thread. Every `tickMs` it reads its ring to the end, lets the pipeline judge all hops that
 * closed, and sends them to the main thread in one message. It beats in shared memory while it is alive; whatever it
 * throws ends the thread, and the pool puts another in its place.
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../core/clock.ts'
import { OperatingError } from '../core/errors.ts'
import { VoiceFrontEnd } from '../features/voice-front-end.ts'
import type { ScoredHop } from '../inference/scored-hop.ts'
import { hopSpecOf, VoiceDetector } from '../inference/voice-detector.ts'
import { type FromWorker, hopStride, type ToWorker, type WorkerStart, writeHop } from './protocol.ts'
import { RingReader, recordKind } from './ring.ts'
import { type PipelineCounters, pipelineCounterNames, VoicePipeline } from './voice-pipeline.ts'

/** Counts and times are sent at least this often while there is anything to count. */
const reportMs = 1000

class VoiceLoop {
  readonly #port: MessagePort
  readonly #tickMs: number
  readonly #ring: RingReader
  readonly #record = RingReader.record()
  readonly #pipeline: VoicePipeline
  readonly #counters: PipelineCounters
  readonly #drains: number[] = []
  #stopping = false
  /** Hops of this report so far; a fresh array each time because the old one was transferred. */
  #rows = new Float64Array(64 * hopStride)
  #hops = 0
  #closed: number[] = []
  #ticks = 0
  #busyMs = 0
  #tickMsMax = 0
  #reportedMs = systemClock.steadyMs()

  constructor(port: MessagePort, start: WorkerStart, detector: VoiceDetector) {
    const { model, tracksMax, gapFillMsMax } = start
    this.#port = port
    this.#tickMs = start.tickMs
    this.#ring = new RingReader(start.ring)
    this.#counters = Object.fromEntries(pipelineCounterNames.map((name) => [name, 0])) as PipelineCounters
    this.#pipeline = new VoicePipeline({
      frontEnd: VoiceFrontEnd.create(hopSpecOf(model.manifest), tracksMax),
      detector,
      hopMs: model.manifest.hop.ms,
      gapFillMsMax,
      tracksMax,
      counters: this.#counters,
    })
  }

  drain(id: number): void {
    this.#drains.push(id)
  }

  stop(): void {
    this.#stopping = true
  }

  async run(): Promise<void> {
    while (!this.#stopping) {
      const beganMs = systemClock.steadyMs()
      const drains = this.#drains.splice(0)
      this.#ring.beat()
      await this.#tick()
      const endedMs = systemClock.steadyMs()
      this.#ticks += 1
      this.#busyMs += endedMs - beganMs
      this.#tickMsMax = Math.max(this.#tickMsMax, endedMs - beganMs)
      const worthTelling = this.#hops + this.#closed.length + drains.length > 0
      if (worthTelling || endedMs - this.#reportedMs >= reportMs) this.#report(endedMs)
      for (const id of drains) send(this.#port, { kind: 'drained', id })
      await sleep(this.#drains.length > 0 ? 0 : Math.max(1, this.#tickMs - (endedMs - beganMs)))
    }
  }

  /** Reads all that is in the ring and judges what is due, more than once when it is much. */
  async #tick(): Promise<void> {
    const record = this.#record
    while (this.#ring.read(record)) {
      switch (record.kind) {
        case recordKind.open:
          this.#pipeline.open(record.trackId, record.mediaMs)
          break
        case recordKind.frame:
          this.#pipeline.frame(
            record.trackId,
            record.mediaMs,
            this.#ring.bytes,
            record.payloadStart,
            record.payloadEnd,
            record.enteredMs,
          )
          break
        case recordKind.close:
          this.#pipeline.close(record.trackId)
          this.#closed.push(record.trackId)
          break
        default:
          assert.fail(`a ring record of kind ${record.kind}`)
      }
      this.#ring.release()
      if (this.#pipeline.full) await this.#judge()
    }
    await this.#judge()
  }

  async #judge(): Promise<void> {
    await this.#pipeline.tick(this.#keep)
    this.#ring.beat()
  }

  readonly #keep = (hop: ScoredHop): void => {
    if ((this.#hops + 1) * hopStride > this.#rows.length) {
      const larger = new Float64Array(this.#rows.length * 2)
      larger.set(this.#rows)
      this.#rows = larger
    }
    writeHop(this.#rows, this.#hops, hop)
    this.#hops += 1
  }

  #report(nowMs: number): void {
    const counts = pipelineCounterNames.map((name) => this.#counters[name])
    const rows = this.#rows
    const judged: FromWorker = {
      kind: 'judged',
      rows,
      hops: this.#hops,
      closed: this.#closed,
      counts,
      ticks: this.#ticks,
      busyMs: this.#busyMs,
      tickMsMax: this.#tickMsMax,
    }
    this.#port.postMessage(judged, [rows.buffer])
    this.#rows = new Float64Array(64 * hopStride)
    this.#hops = 0
    this.#closed = []
    for (const name of pipelineCounterNames) this.#counters[name] = 0
    this.#ticks = 0
    this.#busyMs = 0
    this.#tickMsMax = 0
    this.#reportedMs = nowMs
  }
}

function send(port: MessagePort, message: FromWorker): void {
  port.postMessage(message)
}

function fail(fault: 'throw' | 'hang'): never {
  if (fault === 'throw') throw new Error('a fault was asked for')
  for (;;);
}

async function main(port: MessagePort, start: WorkerStart): Promise<void> {
  let loop: VoiceLoop | undefined
  // Listening comes before loading: it keeps the event loop alive. Node ends a loop that has nothing to wait for by
  // waiting until V8 has compiled all of onnxruntime's hot functions, seconds in which no timer and no message comes.
  port.on('message', (message: ToWorker) => {
    switch (message.kind) {
      case 'drain':
        return loop?.drain(message.id)
      case 'stop':
        return loop?.stop()
      case 'fault':
        assert(start.faults, 'a fault message, but faults are not allowed')
        return fail(message.fault)
      default:
        assert.fail(`unknown message ${JSON.stringify(message satisfies never)}`)
    }
  })
  try {
    loop = new VoiceLoop(port, start, await VoiceDetector.load(start.model, { batchMax: start.batchMax }))
    send(port, { kind: 'ready' })
    await loop.run()
  } catch (thrown) {
    if (loop !== undefined || !(thrown instanceof OperatingError)) throw thrown
    send(port, { kind: 'refused', detail: thrown.message })
  }
  port.close()
}

assert(parentPort !== null, 'voice.worker runs as a worker thread')
await main(parentPort, workerData as WorkerStart)
