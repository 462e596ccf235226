/**
 * A load run: places N calls over a short ramp, plays each for S seconds at real-time pace, ends them, and says what
 * was delivered and how punctual the simulator itself was. One thread; a figure is only worth believing while its own
 * lateness stays small against 20 ms.
 */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import type { Clip } from './clips.ts'
import { type FaultPlan, faultPlan, noFaults } from './fault-plan.ts'
import { Lateness } from './lateness.ts'
import { frameMs, PacingWheel } from './pacing-wheel.ts'
import { seededRandom } from './seeded-random.ts'
import { type CallCounts, countRefusal, SimulatedCall, zeroCounts } from './simulated-call.ts'
import type { CallIdentity, TwilioTarget } from './twilio-webhook.ts'

export interface CallLoadOptions {
  readonly target: TwilioTarget
  readonly streams: number
  readonly seconds: number
  readonly clips: readonly Clip[]
  /** Seed of the faults; undefined: every call goes as documented. */
  readonly faultSeed: number | undefined
  readonly clock: Clock
  /** Once a second while it runs. */
  readonly progress: (state: { live: number; placed: number; mediaMessages: number }) => void
}

interface PlacedCall {
  readonly callSid: string
  readonly clip: string
  readonly truth: string | null
}

export interface CallLoadReport {
  readonly calls: readonly PlacedCall[]
  readonly counts: CallCounts
  /** Over the stretch during which all calls were up, or over everything when there was none. */
  readonly mediaMessagesPerSecond: number
  readonly lateness: { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number }
  /** The simulator's own CPU per second of one stream. */
  readonly ownCpuMsPerStreamSecond: number
}

/** New calls a second while the load builds up. */
const rampPerSecond = 100
/** Webhooks and handshakes under way at a time. */
const dialersMax = 16

/** 32 random hexadecimal digits behind a two-letter kind, as Twilio's ids are. */
export function newSid(kind: 'CA' | 'MZ' | 'AC'): string {
  return kind + randomBytes(16).toString('hex')
}

/** Numbers from the ranges kept for fiction. */
export function identityOf(index: number): CallIdentity {
  const line = String(100 + (index % 100)).padStart(4, '0')
  const area = 201 + (Math.floor(index / 100) % 700)
  return { callSid: newSid('CA'), from: `+1${area}555${line}`, to: '+12025550199' }
}

export async function runCallLoad(options: CallLoadOptions): Promise<CallLoadReport> {
  return new CallLoad(options).run()
}

class CallLoad {
  readonly #options: CallLoadOptions
  readonly #counts = zeroCounts()
  readonly #lateness = new Lateness()
  readonly #wheel: PacingWheel
  readonly #placed: PlacedCall[] = []
  readonly #calls: SimulatedCall[] = []
  #allUp: { atMs: number; messages: number } | undefined
  #firstEnd: { atMs: number; messages: number } | undefined
  #next = 0
  #startMs = 0

  constructor(options: CallLoadOptions) {
    this.#options = options
    this.#wheel = new PacingWheel({ clock: options.clock, lateness: this.#lateness })
  }

  async run(): Promise<CallLoadReport> {
    const cpuBefore = process.cpuUsage()
    this.#startMs = this.#options.clock.steadyMs()
    const ticker = setInterval(() => this.#report(), 1000)
    try {
      await Promise.all(Array.from({ length: dialersMax }, () => this.#dial()))
      this.#allUp = this.#mark()
      while (this.#wheel.size > 0) await sleep(50)
    } finally {
      clearInterval(ticker)
      this.#wheel.stop()
      for (const call of this.#calls) call.terminate()
    }
    const cpu = process.cpuUsage(cpuBefore)
    const streamSeconds = Math.max(1, this.#counts.placed * this.#options.seconds)
    return {
      calls: this.#placed,
      counts: this.#counts,
      mediaMessagesPerSecond: this.#rate(),
      lateness: {
        p50Ms: this.#lateness.percentileMs(0.5),
        p99Ms: this.#lateness.percentileMs(0.99),
        maxMs: this.#lateness.maxMs,
      },
      ownCpuMsPerStreamSecond: (cpu.user + cpu.system) / 1000 / streamSeconds,
    }
  }

  async #dial(): Promise<void> {
    for (let index = this.#next++; index < this.#options.streams; index = this.#next++) {
      const waitMs = this.#startMs + (index * 1000) / rampPerSecond - this.#options.clock.steadyMs()
      if (waitMs > 0) await sleep(waitMs)
      await this.#place(index).catch((thrown) => countRefusal(this.#counts, thrown))
    }
  }

  async #place(index: number): Promise<void> {
    const { target, clips, seconds } = this.#options
    const clip = clips[index % clips.length]!
    const frames = Math.round((seconds * 1000) / frameMs)
    const identity = identityOf(index)
    const call = await SimulatedCall.place({
      target,
      call: identity,
      clip,
      frames,
      plan: this.#plan(index, frames),
      counts: this.#counts,
      newStreamSid: () => newSid('MZ'),
      ended: () => {
        this.#firstEnd ??= this.#mark()
      },
    })
    this.#placed.push({ callSid: identity.callSid, clip: clip.name, truth: clip.truth })
    this.#calls.push(call)
    this.#wheel.add(call)
  }

  #plan(index: number, frames: number): FaultPlan {
    const { faultSeed } = this.#options
    return faultSeed === undefined ? noFaults : faultPlan(seededRandom(faultSeed * 100_003 + index), frames)
  }

  #mark(): { atMs: number; messages: number } {
    return { atMs: this.#options.clock.steadyMs(), messages: this.#counts.mediaMessages }
  }

  #rate(): number {
    const [from, to] = [this.#allUp, this.#firstEnd]
    if (from !== undefined && to !== undefined && to.atMs - from.atMs > 500) {
      return ((to.messages - from.messages) * 1000) / (to.atMs - from.atMs)
    }
    return (this.#counts.mediaMessages * 1000) / Math.max(1, this.#options.clock.steadyMs() - this.#startMs)
  }

  #report(): void {
    const { placed, mediaMessages } = this.#counts
    this.#options.progress({ live: this.#wheel.size, placed, mediaMessages })
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
