import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { actionSummary, actionView, canUndo, kindOf, noteOf, twimlOf } from '../../src/decisions/action-record.ts'
import { actionRecord } from '../fakes/actions.ts'

describe('a decision', () => {
  it('says what was done, or would have been, and why', () => {
    const conditions = ['label likely_synthetic', 'confidence 0.91, at least 0.9']
    const words = (over: Parameters<typeof actionRecord>[0]) => actionView(actionRecord({ conditions, ...over })).text
    const why = '(rule hang-up): label likely_synthetic; confidence 0.91, at least 0.9'
    assert.equal(words({ state: 'shadow' }), `shadow: the call would have been hung up ${why}`)
    assert.equal(words({ state: 'done' }), `the call was hung up ${why}`)
    assert.equal(words({ state: 'planned' }), `under way: the call would have been hung up ${why}`)
    const result = { code: 'call_over', text: 'Twilio answered 404' }
    assert.equal(
      words({ state: 'failed', result }),
      `failed: the call would have been hung up ${why} [Twilio answered 404]`,
    )
    const note = { action: 'annotate', note: 'sounds generated' } as const
    assert.equal(words({ state: 'undone', ...note }), `undone: the call was annotated “sounds generated” ${why}`)
  })

  it('can be undone where that undoes something', () => {
    const can = (over: Parameters<typeof actionRecord>[0]) => canUndo(actionRecord(over))
    assert.ok(can({ state: 'done', action: 'notify' }))
    assert.ok(can({ state: 'done', action: 'annotate' }))
    assert.ok(can({ state: 'done', action: 'redirect', hasWayBack: true }))
    assert.ok(can({ state: 'planned', action: 'hangup' }), 'while its request waits')
    assert.ok(!can({ state: 'done', action: 'redirect', hasWayBack: false }))
    assert.ok(!can({ state: 'done', action: 'hangup' }))
    assert.ok(!can({ state: 'done', action: 'observe' }))
    for (const state of ['shadow', 'failed', 'withheld', 'superseded', 'undone'] as const) {
      assert.ok(!can({ state, action: 'notify' }), state)
    }
  })

  it('is told in events without its evidence, which is asked for', () => {
    assert.ok(!('evidence' in actionSummary(actionRecord({}))))
    assert.ok('evidence' in actionView(actionRecord({})))
  })
})

describe('what a rule does', () => {
  it('leads a call to TwiML, or to a URL by a TwiML that fetches it', () => {
    const url = 'https://voice.example.com/check?a=1&b=2'
    const what = { redirect: { twiml: '<Response><Reject/></Response>' }, back: { url } }
    assert.equal(kindOf(what), 'redirect')
    assert.equal(twimlOf(what, 'redirect'), '<Response><Reject/></Response>')
    const fetched =
      '<Response><Redirect method="POST">https://voice.example.com/check?a=1&amp;b=2</Redirect></Response>'
    assert.equal(twimlOf(what, 'back'), fetched)
    assert.equal(twimlOf({ redirect: { url } }, 'back'), null)
    assert.equal(twimlOf('hangup', 'redirect'), null)
  })

  it('may leave a note', () => {
    assert.equal(kindOf({ annotate: 'x' }), 'annotate')
    assert.equal(noteOf({ annotate: 'x' }), 'x')
    assert.equal(noteOf('notify'), null)
  })
})
