import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RouteBaseline, type Usual } from '../../src/features/route-baseline.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const midnightMs = Date.UTC(2026, 0, 5)
const none = { blink: false, fromInvalid: false, domestic: false }

function made(): { baseline: RouteBaseline; usual: (atMs: number) => Usual; calls: (atMs: number, n: number) => void } {
  const baseline = new RouteBaseline()
  baseline.reset(3, midnightMs)
  const out = {} as Usual
  return {
    baseline,
    usual: (atMs) => {
      baseline.usual(3, atMs, out)
      return out
    },
    calls: (atMs, n) => {
      for (let i = 0; i < n; i++) baseline.add(3, atMs + i, true, i % 2 === 0, false, none)
    },
  }
}

describe("a route's usual hours", () => {
  it('are unknown in the first hour', () => {
    const { usual, calls } = made()
    calls(midnightMs, 100)
    assert.equal(usual(midnightMs + 1000).hours, 0)
  })

  it('are the mean of the hours before on the first day, quiet ones too, never the open one', () => {
    const { usual, calls } = made()
    calls(midnightMs, 90)
    calls(midnightMs + 2 * hourMs, 30)
    calls(midnightMs + 3 * hourMs, 5000)
    const now = usual(midnightMs + 3 * hourMs + 60_000)
    assert.deepEqual([now.hours, now.attempts, now.short, now.lastAttempts], [3, 40, 20, 30])
  })

  it('are the same hour of the days before from the second day on', () => {
    const { usual, calls } = made()
    calls(midnightMs + 9 * hourMs, 100)
    calls(midnightMs + 10 * hourMs, 7)
    calls(midnightMs + dayMs + 9 * hourMs, 200)
    assert.equal(usual(midnightMs + dayMs + 9 * hourMs).attempts, 100)
    assert.equal(usual(midnightMs + 2 * dayMs + 9 * hourMs).attempts, 150)
  })
})
