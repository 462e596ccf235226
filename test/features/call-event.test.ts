import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { callEventOf } from '../../src/features/call-event.ts'
import { call, scenarioStartMs } from '../fakes/call-events.ts'

const numbers = { from: '447700900123', to: '491511234567', atS: 0 }

describe('a call as the windows see it', () => {
  it('counts when it is over', () => {
    assert.equal(callEventOf(call({ ...numbers, ringS: 8, talkS: 60 })).timeMs, scenarioStartMs + 69_500)
  })

  it('counts at its answer and talk when the switch told no end', () => {
    const record = { ...call({ ...numbers, ringS: 8, talkS: 60 }), endUs: undefined }
    assert.equal(callEventOf(record).timeMs, scenarioStartMs + 69_500)
  })

  it('is a blink when it rang at most 5 s and nobody answered', () => {
    assert.equal(callEventOf(call({ ...numbers, ringS: 5 })).blink, true)
    assert.equal(callEventOf(call({ ...numbers, ringS: 5.1 })).blink, false)
    assert.equal(callEventOf(call({ ...numbers, ringS: 1, talkS: 1 })).blink, false)
  })

  it('is no blink when the network refused it, or when nobody is known to have ended it', () => {
    assert.equal(callEventOf(call({ ...numbers, ringS: 1, sip: 503 })).blink, false)
    const untold = { ...call({ ...numbers, ringS: 1 }), ringMs: undefined, ringUs: undefined }
    assert.equal(callEventOf({ ...untold, releasedBy: 'unknown' }).blink, false)
    assert.equal(callEventOf({ ...untold, releasedBy: 'caller' }).blink, true)
  })

  it('is no blink when the called line was engaged and no ring was told', () => {
    const engaged = { ...call({ ...numbers, ringS: 1, sip: 486 }), releasedBy: 'callee' as const }
    assert.equal(callEventOf({ ...engaged, ringMs: undefined, ringUs: undefined }).blink, false)
    assert.equal(callEventOf({ ...engaged, ringMs: undefined, ringUs: undefined, causeSip: undefined }).blink, true)
    assert.equal(callEventOf(engaged).blink, true)
  })

  it('takes a SIP 487 without a release party for the caller, a 486 for the called side', () => {
    assert.equal(callEventOf(call({ ...numbers, releasedBy: 'unknown', sip: 487 })).releasedByCaller, true)
    assert.equal(callEventOf(call({ ...numbers, releasedBy: 'unknown', sip: 486 })).releasedByCallee, true)
  })

  it('takes a SIP 603 for the called party that declines, and a 608 or 604 for the network', () => {
    const rung = { ringMs: 2000, ringUs: (scenarioStartMs + 1500) * 1000 }
    const of = (sip: number) => callEventOf({ ...call({ ...numbers, releasedBy: 'unknown', ringS: 2, sip }), ...rung })
    for (const sip of [600, 603, 607]) {
      assert.deepEqual([of(sip).releasedByCallee, of(sip).networkFailed, of(sip).blink], [true, false, true], `${sip}`)
    }
    for (const sip of [404, 500, 503, 604, 606, 608]) {
      assert.deepEqual([of(sip).releasedByCallee, of(sip).networkFailed, of(sip).blink], [false, true, false], `${sip}`)
    }
  })

  it('does not call a withheld number an impossible one', () => {
    const withheld = { ...call({ ...numbers, fromValid: false }), from: undefined, fromRaw: 'anonymous' }
    assert.equal(callEventOf(withheld).fromInvalid, false)
    assert.equal(callEventOf(call({ ...numbers, from: '12', fromValid: false })).fromInvalid, true)
  })
})
