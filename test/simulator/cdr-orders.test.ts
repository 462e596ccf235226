import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HourProfile } from '../../src/simulator/cdr-arrivals.ts'
import { drawnDuration, type OrderFigures, ordersMax, planOrders } from '../../src/simulator/cdr-orders.ts'
import type { Stage } from '../../src/simulator/cdr-stage.ts'
import { CdrTraffic } from '../../src/simulator/cdr-traffic.ts'
import { seededRandom } from '../../src/simulator/seeded-random.ts'

const dayUs = 86_400e6
const startUs = Date.UTC(2026, 0, 5) * 1000
const flat = new HourProfile(new Array<number>(24).fill(1))
const nights = new HourProfile(Array.from({ length: 24 }, (_, hour) => (hour < 6 ? 1 : 0)))

/** All that planning looks at. */
function planned(figures: Partial<OrderFigures>, attempts: number, profile = flat) {
  const stage = {
    startUs,
    endUs: startUs + dayUs,
    profile: () => profile,
    random: (part: string) => seededRandom(part.length * 7919),
  } as unknown as Stage
  const all = {
    share: 0.01,
    calls: [100, 1000],
    hours: 'flat',
    durationS: drawnDuration([600, 7200]),
    ...figures,
  } as const
  return planOrders(stage, 'wangiri', all, attempts)
}

const total = (orders: readonly { calls: number }[]) => orders.reduce((sum, { calls }) => sum + calls, 0)

test('campaigns together have exactly the share that was ordered', () => {
  for (const attempts of [0, 1000, 12_345, 2_000_000]) {
    assert.equal(total(planned({}, attempts)), Math.round(attempts * 0.01))
  }
})

test('campaigns have names of their own, sizes within the figures, and lie within the time', () => {
  const orders = planned({}, 2_000_000)
  assert.equal(new Set(orders.map(({ name }) => name)).size, orders.length)
  assert.ok(orders.every(({ calls }) => calls >= 100 && calls < 1100))
  assert.ok(orders.every((order) => order.startUs >= startUs && order.endUs <= startUs + dayUs))
  assert.ok(orders.every((order) => order.endUs - order.startUs >= 600e6 - 1))
})

test('a short run has three campaigns where each is large enough, else fewer', () => {
  assert.ok(planned({}, 90_000).length >= 3)
  assert.equal(planned({}, 5000).length, 1)
})

test('campaigns begin when their profile says', () => {
  const hours = planned({}, 2_000_000, nights).map(({ startUs: at }) => new Date(at / 1000).getUTCHours())
  assert.ok(hours.every((hour) => hour < 6))
})

test('the number of campaigns is bounded: beyond the limit they grow', () => {
  const orders = planned({ share: 0.5 }, 50_000_000)
  assert.ok(orders.length > ordersMax / 2 && orders.length < ordersMax * 1.3, `${orders.length} campaigns`)
  assert.equal(total(orders), 25_000_000)
})

test('a scenario of a whole day at a thousand calls a second is drawn up at once', () => {
  const before = process.memoryUsage().heapUsed
  const traffic = new CdrTraffic({ plan: 'train', seed: 1, attempts: 86_400_000, seconds: 86_400 })
  assert.ok(traffic.next() !== undefined)
  assert.ok(process.memoryUsage().heapUsed - before < 64e6)
})
