import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encodeEntry, Outbox } from '../../src/notify/outbox.ts'
import { noticeOf, put, scratchLogs } from '../fakes/notices.ts'

function ids(outbox: Outbox): string[] {
  return outbox.pull().map(({ notice }) => notice.id)
}

describe('outbox', () => {
  it('gives what is wanted, in order, once; what is not wanted does not hold the log back', async (t) => {
    const log = scratchLogs(t).log('notices')
    const wants = ({ kind }: { kind: string }): boolean => kind !== 'anomaly'
    const outbox = new Outbox({ log, name: 'soc', wants, pendingMax: 100 })
    await put(log, noticeOf(1), noticeOf(2, 'a', { kind: 'anomaly' }), noticeOf(3))
    assert.deepEqual(ids(outbox), ['evt_1', 'evt_3'])
    assert.deepEqual(ids(outbox), [])
    await put(log, noticeOf(4, 'a', { kind: 'anomaly' }))
    outbox.done(1)
    outbox.done(3)
    outbox.pull()
    await outbox.settled()
    assert.deepEqual([outbox.waiting, log.bytes()], [0, 0])
  })

  it('stands at the first that is not done: after a restart that one and all behind it come again', async (t) => {
    const first = scratchLogs(t)
    const options = { name: 'soc', wants: () => true, pendingMax: 100 }
    const outbox = new Outbox({ log: first.log('notices'), ...options })
    await put(first.log('notices'), noticeOf(1), noticeOf(2), noticeOf(3))
    outbox.pull()
    outbox.done(1)
    outbox.done(3)
    await outbox.settled()
    await first.close()
    const again = scratchLogs(t, first.directory)
    assert.deepEqual(ids(new Outbox({ log: again.log('notices'), ...options })), ['evt_2', 'evt_3'])
  })

  it('holds at most pendingMax in memory; the rest waits in the log', async (t) => {
    const log = scratchLogs(t).log('notices')
    const outbox = new Outbox({ log, name: 'soc', wants: () => true, pendingMax: 2 })
    await put(log, noticeOf(1), noticeOf(2), noticeOf(3))
    assert.deepEqual(ids(outbox), ['evt_1', 'evt_2'])
    assert.deepEqual(ids(outbox), [])
    assert.equal(outbox.waiting, 3)
    outbox.done(1)
    assert.deepEqual(ids(outbox), ['evt_3'])
  })

  it('gives a dead letter that is sent again to its receiver alone, wanted or not', async (t) => {
    const log = scratchLogs(t).log('notices')
    const soc = new Outbox({ log, name: 'soc', wants: () => false, pendingMax: 10 })
    const duty = new Outbox({ log, name: 'duty', wants: () => true, pendingMax: 10 })
    await log.append([encodeEntry({ notice: noticeOf(1), only: 'soc' }), Buffer.from('not an entry')])
    assert.deepEqual(
      soc.pull().map(({ notice, again }) => [notice.id, again]),
      [['evt_1', true]],
    )
    assert.deepEqual(ids(duty), [])
  })
})
