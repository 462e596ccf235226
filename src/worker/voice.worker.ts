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
import { featureWidth } from '../features/hop.ts'
import { VoiceFrontEnd } from '../features/voice-front-end.ts'
import type { HopDetector } from '../inference/hop-detector.ts'
import type { ScoredHop } from '../inference/scored-hop.ts'
import { type PipelineCounters, pipelineCounterNames } from './pipeline-counters.ts'
import { type FromWorker, hopStride, type ToWorker, type WorkerStart, writeHop } from './protocol.ts'
import { RingReader, type RingRecord, recordKind } from './ring.ts'
import { openDetector, type StagedDetector } from './staged-detector.ts'
import { VoicePipeline } from './voice-pipeline.ts'

/**
 * Runs on empty rows while there is nothing to read. V8 compiles onnxruntime quickly first and well only where it is
 * seen to work hard; until then a run takes eight times as long. All workers of a process share what was compiled.
 */
const warmRuns = 60
const warmRows = 16
/** A thread that reads is alive: it beats this often while it does. */
const recordsPerBeat = 64
/** A tick without closed hops (duplicates, say) ends after so many records. */
const recordsPerTickMax = 8192
/** Counts and times are sent at least this often while there is anything to count. */
const reportMs = 1000

type Drain = Extract<ToWorker, { kind: 'drain' }>

class VoiceLoop {
  readonly #port: MessagePort
  readonly #tickMs: number
  readonly #ring: RingReader
  readonly #record = RingReader.record()
  readonly #detector: HopDetector
  readonly #pipeline: VoicePipeline
  readonly #counters: PipelineCounters
  #drains: Drain[] = []
  #stopping = false
  #warmRunsLeft = warmRuns
  #recordsRead = 0
  /** Hops of this report so far; a fresh array each time because the old one was transferred. */
  #rows = new Float64Array(64 * hopStride)
  #hops = 0
  #closed: number[] = []
  #ticks = 0
  #busyMs = 0
  #tickMsMax = 0
  #reportedMs = systemClock.steadyMs()

  constructor(
    port: MessagePort,
    start: WorkerStart,
    { detector, spec, hopMs }: StagedDetector,
    counters: PipelineCounters,
  ) {
    const { tracksMax, gapFillMsMax } = start
    this.#port = port
    this.#tickMs = start.tickMs
    this.#detector = detector
    this.#ring = new RingReader(start.ring)
    this.#counters = counters
    this.#pipeline = new VoicePipeline({
      frontEnd: VoiceFrontEnd.create(spec, tracksMax),
      detector,
      hopMs,
      frame: { width: featureWidth(spec.features), contextFrames: spec.contextFrames },
      gapFillMsMax,
      tracksMax,
      counters: this.#counters,
    })
  }

  drain(drain: Drain): void {
    this.#drains.push(drain)
  }

  stop(): void {
    this.#stopping = true
  }

  async run(): Promise<void> {
    while (!this.#stopping) {
      const beganMs = systemClock.steadyMs()
      this.#ring.beat()
      const progress = this.#read()
      await this.#pipeline.tick(this.#keep)
      const endedMs = systemClock.steadyMs()
      this.#ticks += 1
      this.#busyMs += endedMs - beganMs
      this.#tickMsMax = Math.max(this.#tickMsMax, endedMs - beganMs)
      this.#tell(endedMs)
      const goOn = progress === 'more' || (progress === 'idle' && (await this.#warm()))
      await sleep(goOn ? 0 : Math.max(1, this.#tickMs - (endedMs - beganMs)))
    }
  }

  /**
   * Hands what is in the ring to the pipeline, until it is empty or there is enough to judge: whoever has fallen behind
   * must still deliver at every tick.
   */
  #read(): 'idle' | 'caught up' | 'more' {
    const record = this.#record
    const before = this.#recordsRead
    while (this.#ring.read(record)) {
      this.#take(record)
      this.#ring.release()
      this.#recordsRead += 1
      if (this.#recordsRead % recordsPerBeat === 0) this.#ring.beat()
      if (this.#pipeline.full || this.#recordsRead - before === recordsPerTickMax) return 'more'
    }
    return this.#recordsRead === before ? 'idle' : 'caught up'
  }

  #take({ kind, trackId, mediaMs, payloadStart, payloadEnd, enteredMs }: RingRecord): void {
    switch (kind) {
      case recordKind.open:
        this.#pipeline.open(trackId, mediaMs)
        break
      case recordKind.frame:
        this.#pipeline.frame(trackId, mediaMs, this.#ring.bytes, payloadStart, payloadEnd, enteredMs)
        break
      case recordKind.close:
        this.#pipeline.close(trackId)
        this.#closed.push(trackId)
        break
      default:
        assert.fail(`a ring record of kind ${kind}`)
    }
  }

  /** One warming run; false when there is nothing left to warm up. */
  async #warm(): Promise<boolean> {
    if (this.#warmRunsLeft === 0) return false
    this.#warmRunsLeft -= 1
    await this.#detector.warm(Math.min(warmRows, this.#detector.batchMax))
    return true
  }

  /** Sends what there is to tell, and then the answers to drains that are fulfilled by it. */
  #tell(nowMs: number): void {
    const isDrained = (drain: Drain): boolean => this.#recordsRead >= drain.records
    const drained = this.#drains.filter(isDrained)
    this.#drains = this.#drains.filter((drain) => !isDrained(drain))
    const isNew = this.#hops + this.#closed.length + drained.length > 0
    if (isNew || nowMs - this.#reportedMs >= reportMs) this.#report(nowMs)
    for (const { id } of drained) send(this.#port, { kind: 'drained', id })
  }

  readonly #keep = (hop: ScoredHop): void => {
    // Also within a tick: while scores come out, the thread is alive.
    this.#ring.beat()
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
        return loop?.drain(message)
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
    const { model, secondStage = null, batchMax } = start
    const counters = Object.fromEntries(pipelineCounterNames.map((name) => [name, 0])) as PipelineCounters
    const staged = await openDetector({ model, secondStage, batchMax, counters, waits: false })
    loop = new VoiceLoop(port, start, staged, counters)
    send(port, { kind: 'ready' })
    await loop.run()
    await staged.detector.release()
  } catch (thrown) {
    if (loop !== undefined || !(thrown instanceof OperatingError)) throw thrown
    send(port, { kind: 'refused', detail: thrown.message })
  }
  port.close()
}

assert(parentPort !== null, 'voice.worker runs as a worker thread')
await main(parentPort, workerData as WorkerStart)
