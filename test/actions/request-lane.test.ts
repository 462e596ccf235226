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
  it('run so many at once, a quarter of the places kept for urgent ones', async () => {
    const lane = new RequestLane({ atOnce: 4, waitingMax: 10 })
    const plain = [held(), held(), held(), held()]
    const urgent = [held(), held()]
    for (const one of plain) void lane.run(false, one.work)
    for (const one of urgent) void lane.run(true, one.work)
    await turn()
    assert.deepEqual(
      plain.map((one) => one.begun()),
      [true, true, true, false],
    )
    assert.deepEqual(
      urgent.map((one) => one.begun()),
      [true, false],
    )
    assert.equal(lane.waiting, 2)
  })

  it('let an urgent one pass those that wait', async () => {
    const lane = new RequestLane({ atOnce: 1, waitingMax: 10 })
    const [first, waiting, urgent] = [held(), held(), held()]
    void lane.run(false, first.work)
    void lane.run(false, waiting.work)
    void lane.run(true, urgent.work)
    first.end()
    await turn()
    assert.deepEqual([urgent.begun(), waiting.begun()], [true, false])
    urgent.end()
    await turn()
    assert.equal(waiting.begun(), true)
  })

  it('are refused when too many wait, and a failure gives its place back', async () => {
    const lane = new RequestLane({ atOnce: 1, waitingMax: 1 })
    const first = held()
    const running = lane.run(false, async () => {
      await first.work()
      throw new Error('refused')
    })
    const waiting = lane.run(false, async () => 'done')
    await assert.rejects(
      lane.run(true, async () => 'never'),
      { code: 'twilio_busy' },
    )
    first.end()
    await assert.rejects(running, /refused/)
    assert.equal(await waiting, 'done')
  })
})
