/** What a new process knows of calls that the one before, which was killed, decided about. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { ManualClock } from '../../src/core/clock.ts'
import { MarkFile } from '../../src/log/mark-file.ts'
import { CallMemories } from '../../src/watch/call-memory.ts'
import { actionRecord } from '../fakes/actions.ts'
import { MemoryLog } from '../fakes/memory-log.ts'
import { aside, back, done, hangUp, house, rule, twiml } from '../fakes/policy-house.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

describe('after the process was killed', () => {
  const note = rule('note', { annotate: 'sounds generated' })

  it('a call that was acted upon is not acted upon again, and its rules do not fire twice', async () => {
    const first = house({ config: { rules: [note, aside] } })
    first.speak(first.open('CA1'), 10)
    first.orders[0]?.beforeSend?.()
    first.outcomes[0]?.(done)
    await first.settled()
    const second = house({ config: { rules: [note, aside, hangUp] }, former: first })
    second.policy.begin()
    second.speak(second.open('CA1'), 20)
    assert.equal(second.orders.length, 0)
    assert.equal(await second.view('CA1'), 'hang-up:superseded')
  })

  it('before the request went out, the next verdict decides; the first decision is told as failed', async () => {
    const first = house({ config: { rules: [aside] } })
    first.speak(first.open('CA1'), 10)
    assert.equal(first.orders.length, 1)
    const second = house({ config: { rules: [aside] }, former: first })
    second.policy.begin()
    assert.equal(second.rows[0]?.['result_code'], 'interrupted')
    assert.match(String(second.rows[0]?.['evidence_json']), /"windows":\[\{/, 'the evidence is kept')
    second.speak(second.open('CA1'), 10)
    assert.deepEqual(
      second.orders.map((order) => order.change),
      [{ twiml }],
    )
    assert.equal(await second.view('CA1'), 'aside:failed aside:planned')
  })

  it('with a redirect that Twilio had not answered, it is not asked for again', async () => {
    const first = house({ config: { rules: [aside] } })
    first.speak(first.open('CA1'), 10)
    first.orders[0]?.beforeSend?.()
    const second = house({ config: { rules: [aside, hangUp] }, former: first })
    second.policy.begin()
    second.speak(second.open('CA1'), 20)
    assert.equal(second.orders.length, 0)
    assert.equal(second.rows[0]?.['result_code'], 'outcome_unknown')
    await second.settled()
    const third = house({ config: { rules: [aside] }, former: second })
    third.policy.begin()
    assert.equal(third.rows.length, 0, 'it is told once')
  })

  it('a redirect that went out while the disk had nothing is not asked for again', async () => {
    const first = house({ config: { rules: [aside] } })
    first.journal.refusal = new Error('a flush that never came')
    first.speak(first.open('CA1'), 10)
    first.orders[0]?.beforeSend?.()
    first.journal.refusal = null
    const torn = first.lines[0]?.slice(0, 100) ?? ''
    first.lines.push(torn)
    const second = house({ config: { rules: [aside] }, former: first })
    second.policy.begin()
    second.speak(second.open('CA1'), 10)
    assert.equal(second.orders.length, 0)
    assert.equal(second.rows[0]?.['result_code'], 'outcome_unknown')
    await second.settled()
    assert.deepEqual(second.lines, [], 'the journal has it now')
  })

  it('an outcome whose row may not be on disk yet is written again', async () => {
    const first = house({ config: { rules: [aside] } })
    first.speak(first.open('CA1'), 10)
    first.outcomes[0]?.(done)
    await Promise.resolve()
    await Promise.resolve()
    const second = house({ config: { rules: [aside] }, former: first })
    second.policy.begin()
    assert.deepEqual(
      second.rows.map((row) => row['state']),
      ['done'],
    )
    assert.equal(await second.view('CA1'), 'aside:done')
    assert.equal(second.events.length, 0, 'it was told')
  })

  it('with a hang-up that Twilio had not answered, it is asked for once more', async () => {
    const first = house({ config: { rules: [hangUp] } })
    first.speak(first.open('CA1'), 10)
    first.orders[0]?.beforeSend?.()
    const soon = house({ config: { rules: [hangUp] }, former: first })
    soon.policy.begin()
    assert.deepEqual(
      soon.orders.map(({ id, change }) => ({ id, change })),
      [{ id: first.orders[0]?.id, change: { status: 'completed' } }],
    )
    soon.outcomes[0]?.({ state: 'failed', latencyMs: 2, result: { code: 'call_over', text: 'gone' } })
    await soon.settled()
    assert.equal(await soon.view('CA1'), 'hang-up:done', 'the first request had done it')
  })

  it('with a hang-up that is a minute old, it is not asked for again', async () => {
    const first = house({ config: { rules: [hangUp] } })
    first.speak(first.open('CA1'), 10)
    first.orders[0]?.beforeSend?.()
    first.clock.advance(60_000)
    const late = house({ config: { rules: [hangUp] }, former: first })
    late.policy.begin()
    assert.equal(late.orders.length, 0)
    assert.equal(await late.view('CA1'), 'hang-up:failed')
  })

  it('hands off holds', async () => {
    const first = house({ config: { rules: [hangUp] } })
    first.open('CA1')
    await first.policy.setHandsOff('CA1', { by: 'key:1 desk', at: '2026-01-01T00:00:00.000Z', note: null })
    const second = house({ config: { rules: [hangUp] }, former: first })
    second.speak(second.open('CA1'), 10)
    assert.equal(second.orders.length, 0)
    assert.equal(await second.view('CA1'), 'hang-up:withheld')
  })

  it('a redirect of the former run can be led back once the call is heard again', async () => {
    const stored = actionRecord({ callSid: 'CA1', action: 'redirect', rule: 'aside', state: 'done' })
    const first = house({ config: { rules: [aside] } })
    first.speak(first.open('CA1'), 10)
    first.outcomes[0]?.(done)
    await first.settled()
    const second = house({ config: { rules: [aside] }, past: [stored], former: first })
    await assert.rejects(second.policy.undo('CA1', stored.id, 'key:1 desk'), /cannot be undone/)
    second.open('CA1')
    const undo = second.policy.undo('CA1', stored.id, 'key:1 desk')
    await second.settled()
    assert.deepEqual(second.orders[0]?.change, { twiml: back })
    second.outcomes[0]?.(done)
    assert.equal((await undo).state, 'undone')
    assert.equal(await second.view('CA1'), 'aside:undone')
  })

  it('what a person took back before it went out is not decided anew, nor told as failed', async () => {
    const first = house({ config: { rules: [aside] } })
    first.speak(first.open('CA1'), 10)
    const undone = await first.policy.undo('CA1', first.orders[0]?.id ?? '', 'key:1 desk')
    assert.equal(undone.state, 'undone')
    const second = house({ config: { rules: [aside] }, former: first })
    second.policy.begin()
    second.speak(second.open('CA1'), 10)
    assert.equal(second.orders.length, 0)
    assert.equal(await second.view('CA1'), 'aside:undone')
  })

  it('what a person took back is settled once its row is on disk', async () => {
    const first = house({ config: { rules: [aside] } })
    first.speak(first.open('CA1'), 10)
    await first.policy.undo('CA1', first.orders[0]?.id ?? '', 'key:1 desk')
    first.outcomes[0]?.({ state: 'cancelled', latencyMs: null, result: null })
    await first.settled()
    const second = house({ config: { rules: [aside] }, former: first })
    second.policy.begin()
    assert.equal(second.rows.length, 0)
  })

  it('calls of the day before are forgotten', () => {
    const first = house({ config: { rules: [aside] } })
    first.speak(first.open('CA1'), 10)
    first.clock.advance(86_400_000)
    assert.equal(house({ former: first }).policy.size, 0)
  })
})

describe('a mark', () => {
  it('of an action that was answered is no news to a start a day later', async (t) => {
    const marks = new MarkFile(join(scratchDirectory(t), 'marks'))
    t.after(() => marks.close())
    const [clock, log] = [new ManualClock(), new MemoryLog()]
    const options = { log, marks, callsMax: 10, clock }
    const call = { callSid: 'CA1', accountSid: 'AC1', from: '', to: '', direction: 'inbound', stirVerstat: '' }
    const memories = new CallMemories(options)
    const { memory } = memories.of(call)
    memory.pending = { record: actionRecord({ callSid: 'CA1', state: 'planned' }), phase: 'sent' }
    await memories.mark(memory)
    memory.pending = null
    await memories.save(memory)
    clock.advance(86_400_000)
    assert.equal(new CallMemories(options).size, 0)
  })
})

describe('a disk that refuses', () => {
  it('stops no action; what a restart will not know of is counted', async () => {
    const { open, speak, journal, orders, counters, settled } = house({ config: { rules: [aside] } })
    journal.refusal = new Error('no space left')
    speak(open('CA1'), 10)
    orders[0]?.beforeSend?.()
    await settled()
    assert.equal(counters.actionsUnwritten, 2)
  })
})
