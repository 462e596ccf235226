import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { flagStretches, hopMsOf, timelinePoints } from '../../src/dashboard/timeline-stretches.ts'
import type { WindowView } from '../../src/decisions/verdict-view.ts'
import { windows } from '../fakes/calls.ts'

describe('flagged stretches', () => {
  it('are the last hop of a window, not the whole window it looks back over', () => {
    const judged = windows([0.1, 0.1, 0.1, 0.1], { 2: ['music'] })
    assert.deepEqual([...flagStretches(judged, [])], [['music', [{ startMs: 1000, endMs: 1500 }]]])
  })

  it('join where hops touch and stay apart where they do not', () => {
    const judged = windows(Array<null>(8).fill(null), { 1: ['dtmf'], 2: ['dtmf'], 5: ['dtmf', 'tone'] })
    assert.deepEqual(Object.fromEntries(flagStretches(judged, [])), {
      tone: [{ startMs: 2500, endMs: 3000 }],
      dtmf: [
        { startMs: 500, endMs: 1500 },
        { startMs: 2500, endMs: 3000 },
      ],
    })
  })

  it('take the gaps of the track into the gap lane', () => {
    const judged = windows([0.1, 0.1], { 1: ['gap'] })
    const gaps = [{ startMs: 900, endMs: 1200 }]
    assert.deepEqual(flagStretches(judged, gaps).get('gap'), [{ startMs: 500, endMs: 1200 }])
  })

  it('break the line where audio never came', () => {
    const at = (endMs: number): WindowView => ({ startMs: 0, endMs, score: 0.5, flags: [] })
    const points = timelinePoints([at(500), at(1000), at(4000), at(4500)])
    assert.deepEqual(
      points.map(({ atMs, window }) => `${atMs}${window === null ? ' break' : ''}`),
      ['500', '1000', '1250 break', '4000', '4500'],
    )
  })

  it('take the hop from the closest windows, so that a lost stretch does not widen it', () => {
    const at = (endMs: number): WindowView => ({ startMs: 0, endMs, score: null, flags: [] })
    assert.equal(hopMsOf([at(500), at(1000), at(4000), at(4500)]), 500)
    assert.equal(hopMsOf([at(500)]), 500)
    assert.equal(hopMsOf([]), 500)
  })
})
