import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RequestLane } from '../../src/actions/request-lane.ts'

/** Work that ends when told. */
function held(): { work: () => Promise<void>; begun: () => boolean; end: () => void } {
  let end = (): void => {}
  let begun = false
  const done = new Promise<void>((resolve) => {
    end = resolve
  })
  return {
    work: () => {
      begun = true
      return done
    },
    begun: () => begun,
    end: () => end(),
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('requests to one account', () => {
  it('run so many at once, urgent ones in places of their own', async () => {
    const lane = new RequestLane({ atOnce: 2, urgentAtOnce: 1, waitingMax: 10 })
    const plain = [held(), held(), held()]
    const urgent = [held(), held()]
    for (const one of plain) void lane.run(false, one.work)
    for (const one of urgent) void lane.run(true, one.work)
    await turn()
    assert.deepEqual(
      plain.map((one) => one.begun()),
      [true, true, false],
    )
    assert.deepEqual(
      urgent.map((one) => one.begun()),
      [true, false],
    )
    assert.equal(lane.waiting, 2)
    urgent[0]?.end()
    await turn()
    assert.deepEqual([urgent[1]?.begun(), plain[2]?.begun()], [true, false])
    plain[0]?.end()
    await turn()
    assert.equal(plain[2]?.begun(), true)
    assert.equal(lane.waiting, 0)
  })

  it('that are urgent are not refused because others wait', async () => {
    const lane = new RequestLane({ atOnce: 1, urgentAtOnce: 1, waitingMax: 1 })
    for (const one of [held(), held()]) void lane.run(false, one.work)
    await assert.rejects(
      lane.run(false, async () => 'never'),
      { code: 'twilio_busy' },
    )
    assert.equal(await lane.run(true, async () => 'done'), 'done')
  })

  it('are refused when too many wait, and a failure gives its place back', async () => {
    const lane = new RequestLane({ atOnce: 1, urgentAtOnce: 1, waitingMax: 1 })
    const first = held()
    const running = lane.run(false, async () => {
      await first.work()
      throw new Error('refused')
    })
    const waiting = lane.run(false, async () => 'done')
    await assert.rejects(
      lane.run(false, async () => 'never'),
      { code: 'twilio_busy' },
    )
    first.end()
    await assert.rejects(running, /refused/)
    assert.equal(await waiting, 'done')
  })
})
