/**
 * The demo's other half, a process of its own so that its work is not the server's: plays the recorded calls of
 * fixtures/calls through webhook and socket at their real pace, a few at a time and over and over, listens to the
 * verdict events like every client, and prints a line whenever a verdict changes. Ends when its parent does.
 */

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import { projectRoot } from '../core/project.ts'
import { identityOf, newSid } from '../simulator/call-load.ts'
import { type Clip, loadClips } from '../simulator/clips.ts'
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
}

const callsAtATime = 5
const newCallEveryMs = 1800
const retryMs = 2000

class DemoPlayer {
  readonly #orders: DemoOrders
  readonly #clips: readonly Clip[]
  readonly #lines: DemoLines
  readonly #counts = zeroCounts()
  readonly #wheel = new PacingWheel({ clock: systemClock, lateness: new Lateness() })
  #live = 0
  #leaving = false

  constructor(orders: DemoOrders, clips: readonly Clip[]) {
    this.#orders = orders
    this.#clips = clips
    this.#lines = new DemoLines({ print: console.log, clock: systemClock })
  }

  async run(): Promise<void> {
    void this.#listen()
    for (let index = 0; !this.#leaving; index++) {
      while (this.#live >= callsAtATime) await sleep(100)
      await this.#play(index).catch((thrown) => {
        if (!this.#leaving) console.error(`demo: ${messageOf(thrown)}`)
        return sleep(retryMs)
      })
      await sleep(newCallEveryMs)
    }
  }

  leave(): void {
    this.#leaving = true
    this.#wheel.stop()
  }

  async #play(index: number): Promise<void> {
    const clip = this.#clips[index % this.#clips.length]!
    const call = identityOf(index)
    this.#lines.begin(call.callSid, clip)
    this.#live++
    const ended = (): void => {
      this.#live--
      this.#lines.end(call.callSid)
    }
    const { target } = this.#orders
    const frames = clip.inbound.length
    const newStreamSid = (): string => newSid('MZ')
    const options = { target, call, clip, frames, plan: noFaults, counts: this.#counts, newStreamSid, ended }
    try {
      this.#wheel.add(await SimulatedCall.place(options))
    } catch (thrown) {
      this.#live--
      throw thrown
    }
  }

  /** Verdict events until the parent leaves; a broken stream is taken up again. */
  async #listen(): Promise<void> {
    const { key, target } = this.#orders
    while (key !== null && !this.#leaving) {
      try {
        for await (const event of readEvents(`${target.origin}/v1/events`, key)) {
          if (event.type === 'verdict') this.#lines.verdict(event.data)
        }
      } catch (thrown) {
        if (!this.#leaving) console.error(`demo: events: ${messageOf(thrown)}`)
      }
      await sleep(retryMs)
    }
  }
}

process.once('message', (orders: DemoOrders) => {
  const player = new DemoPlayer(orders, loadClips(join(projectRoot, 'fixtures/calls')))
  process.once('disconnect', () => {
    player.leave()
    process.exit(0)
  })
  player.run().catch((thrown) => {
    console.error(`demo: ${messageOf(thrown)}`)
    process.exit(1)
  })
})
// Ctrl-C reaches the whole group of the terminal; the parent tells us when it is time.
process.on('SIGINT', () => {})
