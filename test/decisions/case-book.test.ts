import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ManualClock } from '../../src/core/clock.ts'
import { OperatingError } from '../../src/core/errors.ts'
import type { CaseChange, FraudCase } from '../../src/decisions/cases.ts'
import { NumberSpellings } from '../../src/wire/number-spellings.ts'
import { cdrConfig, fakeFraud, seed } from '../fakes/fraud.ts'

function rig() {
  const clock = new ManualClock()
  const fraud = fakeFraud(clock)
  const tell = (change: CaseChange, id: string, over: Partial<FraudCase> = {}) =>
    fraud.book.apply([{ change, seed: seed(id, clock.wallMs(), over) }])
  const told = () => fraud.published.map(({ change, id }) => `${change} ${id}`)
  return { ...fraud, clock, tell, told }
}

function isProblem(code: string) {
  return (thrown: unknown) => thrown instanceof OperatingError && thrown.code === code
}

describe('the case book', () => {
  it('tells, stores and has written every state that the worker tells, with a version that grows', () => {
    const { book, tell, told, stored } = rig()
    const [opened] = tell('opened', 'a')
    const [grown] = tell('strengthened', 'a', { calls: 200 })
    assert.deepEqual(told(), ['opened a', 'strengthened a'])
    assert.deepEqual([opened?.version, grown?.version], [1, 2])
    assert.deepEqual(
      stored.map((each) => each.seed.it.calls),
      [150, 200],
    )
    assert.equal(book.live().length, 1)
  })

  it('finds live cases by subject, and no case that is over', () => {
    const { book, tell } = rig()
    tell('opened', 'a')
    tell('opened', 'b', { kind: 'robocall' })
    const on = () => book.on(['number:2215550001', 'number:1']).map((each) => each.id)
    assert.deepEqual(on(), ['a', 'b'])
    tell('closed', 'a', { state: 'closed' })
    assert.deepEqual(on(), ['b'])
    assert.deepEqual([book.liveCount, book.over().map(({ seed: { it } }) => it.id)], [1, ['a']])
  })

  it('a dismissed case is over at once, and stays so whatever the worker still says of it', async () => {
    const { book, clock, tell, ruled, written } = rig()
    tell('opened', 'a')
    const state = await book.decide('a', 'dismiss', 'key:1 desk', 'a survey')
    assert.deepEqual(
      [state.seed.it.state, state.seed.it.verdict, state.decidedBy, state.decidedMs, state.note],
      ['closed', 'dismissed', 'key:1 desk', clock.wallMs(), 'a survey'],
    )
    assert.deepEqual(written.at(-1), state)
    assert.deepEqual(
      ruled.map(({ id, verdict, ends, quiet }) => [id, verdict, ends, quiet.untilMs]),
      [['a', 'dismissed', true, clock.wallMs() + cdrConfig.cases.dismissMs]],
    )
    assert.deepEqual(tell('strengthened', 'a'), [])
    assert.deepEqual([book.on(['number:2215550001']), book.seeds()], [[], []])
    assert.equal(book.quiet()[0]?.seed.it.id, 'a')
  })

  it('confirming a dismissed case takes the dismissal back', async () => {
    const { book, tell, ruled } = rig()
    tell('opened', 'a')
    await book.decide('a', 'dismiss', 'desk', null)
    const state = await book.decide('a', 'confirm', 'desk', null)
    assert.deepEqual([state.seed.it.state, state.seed.it.verdict, state.quietUntilMs], ['open', 'confirmed', 0])
    assert.deepEqual([ruled.at(-1)?.restore?.it.id, ruled.at(-1)?.quiet.untilMs], ['a', 0])
    assert.deepEqual([book.seeds().length, book.quiet()], [1, []])
  })

  it('does not take it back beside a case that has opened on the subject since', async () => {
    const { book, tell } = rig()
    tell('opened', 'a')
    await book.decide('a', 'dismiss', 'desk', null)
    tell('opened', 'b')
    const state = await book.decide('a', 'confirm', 'desk', null)
    assert.deepEqual([state.seed.it.state, state.seed.it.verdict], ['closed', 'confirmed'])
  })

  it('keeps what a person said while the worker goes on', async () => {
    const { book, tell } = rig()
    tell('opened', 'a')
    await book.decide('a', 'confirm', 'desk', 'seen before')
    const [state] = tell('strengthened', 'a', { calls: 300 })
    assert.deepEqual([state?.seed.it.verdict, state?.decidedBy, state?.note], ['confirmed', 'desk', 'seen before'])
  })

  it('refuses decisions that make no sense', async () => {
    const { book, tell } = rig()
    tell('opened', 'a')
    tell('merged', 'm', { state: 'merged', mergedInto: 'a' })
    await assert.rejects(book.decide('nobody', 'confirm', 'desk', null), isProblem('not_found'))
    await assert.rejects(book.decide('m', 'dismiss', 'desk', null), isProblem('conflict'))
    for (const act of ['confirm', 'close'] as const) {
      await book.decide('a', act, 'desk', null)
      await assert.rejects(book.decide('a', act, 'desk', null), isProblem('conflict'))
    }
    assert.equal((await book.decide('a', 'dismiss', 'desk', null)).seed.it.verdict, 'dismissed', 'a closed one may be')
  })

  it('forgets the oldest of the cases that are over, but none that keeps a subject quiet', async () => {
    const { book, tell } = rig()
    tell('opened', 'dismissed')
    await book.decide('dismissed', 'dismiss', 'desk', null)
    for (let n = 0; n < 2100; n++) tell('closed', `old-${n}`, { state: 'closed' })
    assert.equal(book.over().length, 2000)
    assert.ok(book.get('dismissed') !== undefined && book.get('old-0') === undefined && book.get('old-2099'))
  })

  it('forgets a number: its live case ends without a subject, texts of others lose it, neighbours stay', async () => {
    const { book, tell, told, stored } = rig()
    const subject = { type: 'number', value: '12025550123' } as const
    tell('opened', 'a', { subject })
    tell('opened', 'b', { reasons: [{ code: 'x', text: 'called +1 202 555 0123' }] })
    tell('opened', 'c', { kind: 'robocall', subject: { type: 'number', value: '12025550124' } })
    assert.equal(await book.erase(new NumberSpellings('12025550123')), 2)
    assert.deepEqual(told().slice(3), ['closed a'])
    assert.deepEqual([book.get('a')?.seed.it.subject.value, book.get('a')?.seed.it.state], ['erased', 'closed'])
    assert.deepEqual(book.on(['number:12025550123', 'number:erased']), [])
    assert.equal(book.get('b')?.seed.it.reasons[0]?.text, 'called erased')
    assert.equal(book.get('c')?.version, 1)
    assert.deepEqual(
      stored.slice(3).map(({ seed: { it }, version }) => [it.id, version]),
      [
        ['a', 2],
        ['b', 2],
      ],
    )
  })

  it('lets go of cases that were over long ago, and of none that lives or keeps a subject quiet', async () => {
    const { book, clock, tell } = rig()
    tell('opened', 'a')
    tell('closed', 'a', { state: 'closed' })
    tell('opened', 'b', { kind: 'robocall' })
    await book.decide('b', 'dismiss', 'key:1 desk', null)
    tell('opened', 'c', { kind: 'irsf' })
    assert.equal(await book.expire(clock.wallMs() + 1), 1)
    assert.deepEqual([book.get('a'), book.get('b')?.seed.it.id, book.get('c')?.seed.it.id], [undefined, 'b', 'c'])
  })
})
