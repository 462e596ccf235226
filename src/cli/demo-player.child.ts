/**
 * The demo's other half, a process of its own so that its work is not the server's: plays the recorded calls of
 * fixtures/calls through webhook and socket at their real pace, a few at a time and over and over, and call records
 * with fraud in them through `WS /v1/cdr`; listens to the events like every client, and prints a line whenever a
 * verdict changes and a case opens. Ends when its parent does.
 */

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import { projectRoot } from '../core/project.ts'
import { identityOf, newSid } from '../simulator/call-load.ts'
import { demoFeed } from '../simulator/cdr-demo-feed.ts'
import { cdrDoor } from '../simulator/cdr-door.ts'
import { runCdrLoad } from '../simulator/cdr-load.ts'
import type { CdrDoor } from '../simulator/cdr-receipt.ts'
import { byTurns, type Clip, loadClips } from '../simulator/clips.ts'
import { noFaults } from '../simulator/fault-plan.ts'
import { Lateness } from '../simulator/lateness.ts'
import { PacingWheel } from '../simulator/pacing-wheel.ts'
import { SimulatedCall, zeroCounts } from '../simulator/simulated-call.ts'
import type { TwilioTarget } from '../simulator/twilio-webhook.ts'
import { readEvents } from '../simulator/verdict-events.ts'
import { DemoLines } from './demo-lines.ts'

/** The one message from the parent. */
export interface DemoOrders {
  readonly target: TwilioTarget
  readonly key: string | null
  /** To send call records with; without one none are sent. */
  readonly ingestKey: string | null
}

const callsAtATime = 5
const newCallEveryMs = 1800
const retryMs = 2000
/** A server looks for new keys once a second. */
const keyKnownMs = 1500
const feedSeed = 7
/** Time for the last messages to leave. */
const hangUpMs = 300

class DemoPlayer {
  readonly #orders: DemoOrders
  readonly #clips: readonly Clip[]
  readonly #lines: DemoLines
  readonly #counts = zeroCounts()
  readonly #wheel = new PacingWheel({ clock: systemClock, lateness: new Lateness() })
  readonly #live = new Set<SimulatedCall>()
  #dialing = 0
  #leaving = false
  #door: CdrDoor | undefined

  constructor(orders: DemoOrders, clips: readonly Clip[]) {
    this.#orders = orders
    this.#clips = clips
    this.#lines = new DemoLines({ print: console.log, clock: systemClock })
  }

  async run(): Promise<void> {
    void this.#listen()
    void this.#sendRecords()
    for (let index = 0; !this.#leaving; index++) {
      while (this.#live.size + this.#dialing >= callsAtATime) await sleep(100)
      await this.#play(index).catch((thrown) => {
        if (!this.#leaving) console.error(`demo: ${messageOf(thrown)}`)
        return sleep(retryMs)
      })
      await sleep(newCallEveryMs)
    }
  }

  /** Every live call ends with its `stop`, so that the server has nothing to wait for. */
  async leave(): Promise<void> {
    this.#leaving = true
    this.#wheel.stop()
    for (const call of this.#live) call.hangUp()
    this.#door?.close()
    await sleep(hangUpMs)
  }

  async #play(index: number): Promise<void> {
    const clip = this.#clips[index % this.#clips.length]!
    const call = identityOf(index)
    this.#lines.begin(call.callSid, clip)
    this.#dialing++
    try {
      const placed: SimulatedCall = await SimulatedCall.place({
        target: this.#orders.target,
        call,
        clip,
        frames: clip.inbound.length,
        plan: noFaults,
        counts: this.#counts,
        newStreamSid: () => newSid('MZ'),
        ended: () => {
          this.#live.delete(placed)
          this.#lines.end(call.callSid)
        },
      })
      this.#live.add(placed)
      this.#wheel.add(placed)
    } finally {
      this.#dialing--
    }
  }

  /** Call records for as long as the demo lasts. */
  async #sendRecords(): Promise<void> {
    const { ingestKey, target } = this.#orders
    if (ingestKey === null) return
    await sleep(keyKnownMs)
    const startUs = Math.round(systemClock.wallMs() * 1000)
    const source = demoFeed(feedSeed, startUs)
    while (!this.#leaving) {
      this.#door = cdrDoor({ url: `${target.origin.replace(/^http/, 'ws')}/v1/cdr`, key: ingestKey })
      const nowUs = Math.round(systemClock.wallMs() * 1000)
      const load = { source, door: this.#door, clock: systemClock, startUs: nowUs, endUs: Number.POSITIVE_INFINITY }
      await runCdrLoad({ ...load, sent: () => undefined }).catch((thrown) => {
        if (!this.#leaving) console.error(`demo: call records: ${messageOf(thrown)}`)
      })
      await sleep(retryMs)
    }
  }

  /** Events until the parent leaves; a broken stream is taken up again. */
  async #listen(): Promise<void> {
    const { key, target } = this.#orders
    while (key !== null && !this.#leaving) {
      try {
        for await (const event of readEvents(`${target.origin}/v1/events`, key)) {
          if (event.type === 'verdict') this.#lines.verdict(event.data)
          else if (event.type === 'case') this.#lines.caseChanged(event.data)
        }
      } catch (thrown) {
        if (!this.#leaving) console.error(`demo: events: ${messageOf(thrown)}`)
      }
      await sleep(retryMs)
    }
  }
}

process.once('message', (orders: DemoOrders) => {
  const player = new DemoPlayer(orders, byTurns(loadClips(join(projectRoot, 'fixtures/calls'))))
  process.once('disconnect', () => void player.leave().then(() => process.exit(0)))
  player.run().catch((thrown) => {
    console.error(`demo: ${messageOf(thrown)}`)
    process.exit(1)
  })
})
// Ctrl-C reaches the whole group of the terminal; the parent tells us when it is time.
process.on('SIGINT', () => {})
