import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Clock } from '../../src/core/clock.ts'
import { Lateness } from '../../src/simulator/lateness.ts'
import { PacingWheel } from '../../src/simulator/pacing-wheel.ts'

/** A wheel whose time moves only by `context.mock.timers.tick`. */
function wheelOf(context: TestContext): { wheel: PacingWheel; lateness: Lateness; clock: Clock } {
  context.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const clock: Clock = { wallMs: () => Date.now(), steadyMs: () => Date.now() }
  const lateness = new Lateness()
  return { wheel: new PacingWheel({ clock, lateness }), lateness, clock }
}

function runMs(context: TestContext, ms: number): void {
  for (let passed = 0; passed < ms; passed++) context.mock.timers.tick(1)
}

test('every stream is called 50 times a second', (context) => {
  const { wheel } = wheelOf(context)
  const calls = new Array<number>(45).fill(0)
  for (const index of calls.keys()) {
    wheel.add({
      tick() {
        calls[index]! += 1
        return true
      },
    })
  }
  runMs(context, 1000)
  for (const count of calls) assert.ok(count === 50 || count === 51, `${calls}`)
  wheel.stop()
})

test('streams are spread over the 20 ms of a turn', (context) => {
  const { wheel, clock } = wheelOf(context)
  const calledAt: number[] = []
  for (let stream = 0; stream < 40; stream++) {
    wheel.add({
      tick() {
        calledAt.push(clock.steadyMs() % 20)
        return false
      },
    })
  }
  runMs(context, 21)
  const perMs = Array.from({ length: 20 }, (_, ms) => calledAt.filter((at) => at === ms).length)
  assert.equal(calledAt.length, 40)
  // Two a millisecond; the first two slots fall together because a timer never fires at once.
  assert.ok(Math.max(...perMs) <= 4, `${perMs}`)
})

test('after a stall every missed frame is made up and counted as late; the schedule does not move', (context) => {
  const { wheel, lateness, clock } = wheelOf(context)
  const calledAt: number[] = []
  wheel.add({
    tick() {
      calledAt.push(clock.steadyMs())
      return true
    },
  })
  const startMs = clock.steadyMs()
  runMs(context, 10)
  // The process is away for 100 ms: time passes, no timer fires.
  context.mock.timers.setTime(startMs + 110)
  runMs(context, 45)
  wheel.stop()
  assert.equal(calledAt.filter((at) => at <= startMs + 111).length, 6)
  assert.ok(lateness.maxMs >= 89 && lateness.maxMs <= 91, `${lateness.maxMs}`)
  assert.ok(calledAt.some((at) => at - startMs === 120) && calledAt.some((at) => at - startMs === 140))
})

test('a stream that is done is called no more, and an empty wheel stands still', (context) => {
  const { wheel } = wheelOf(context)
  let calls = 0
  wheel.add({ tick: () => ++calls < 3 })
  runMs(context, 200)
  assert.equal(calls, 3)
  assert.equal(wheel.size, 0)
  wheel.add({ tick: () => ++calls < 5 })
  runMs(context, 100)
  assert.equal(calls, 5)
})
