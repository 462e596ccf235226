import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { callEventOf } from '../../src/features/call-event.ts'
import { CallWindows, keyKinds, kindOf, WindowView } from '../../src/features/call-windows.ts'
import { LookLabels, labelOf, lookLabel } from '../../src/training/look-labels.ts'
import { call, scenarioStartMs } from '../fakes/call-events.ts'

const { keys, windows: limits } = loadConfig({ file: undefined, env: {} }).cdr

function watched() {
  const windows = new CallWindows({ ...keys, recentCallsMax: limits.recentCallsMax })
  const labels = new LookLabels(windows)
  const view = new WindowView()
  return {
    make(from: string, atS: number, isCampaign: boolean): void {
      const event = callEventOf(call({ from, to: `49151${1_000_000 + atS}`, atS, ringS: 2 }))
      windows.observe(event)
      if (isCampaign) labels.add(event.timeMs)
    },
    counts(kind: number, slot: number, atS: number): { held: number[]; labelled: number[] } {
      windows.read(kind, slot, scenarioStartMs + atS * 1000, view)
      return {
        held: [0, 1, 2, 3].map((level) => view.sum(level, 'attempts')),
        labelled: [0, 1, 2, 3].map((level) => labels.inWindow(view, level)),
      }
    },
    slots: windows.slots,
  }
}

describe('labels of looks', () => {
  it('count a call exactly as long as the windows count it', () => {
    const world = watched()
    for (let n = 0; n < 400; n++) {
      const atS = n * 37 + (n % 7)
      world.make(`4477009${10_000 + n}`, atS, true)
      if (n % 20 !== 0) continue
      for (const kind of [kindOf.range5, kindOf.route]) {
        const { held, labelled } = world.counts(kind, world.slots[kind]!, atS + 10)
        assert.deepEqual(labelled, held, `${keyKinds[kind]} after ${n} calls`)
      }
    }
    const route = world.slots[kindOf.route]!
    assert.deepEqual(world.counts(kindOf.route, route, 400 * 37 + 3 * 86_400).labelled, [0, 0, 0, 0])
  })

  it('tell calls of a campaign from others on the same key', () => {
    const world = watched()
    for (let n = 0; n < 40; n++) world.make(`4477009${10_000 + n}`, n, n % 4 === 0)
    const { held, labelled } = world.counts(kindOf.route, world.slots[kindOf.route]!, 41)
    assert.equal(held[1], 40)
    assert.equal(labelled[1], 10)
  })

  it('call a window a campaign from ten calls and one in twenty on, and leave out what nobody could tell', () => {
    assert.equal(labelOf(10, 200), lookLabel.campaign)
    assert.equal(labelOf(10, 201), lookLabel.grey)
    assert.equal(labelOf(9, 9), lookLabel.grey)
    assert.equal(labelOf(2, 500), lookLabel.clean)
    assert.equal(labelOf(0, 12), lookLabel.clean)
  })
})
