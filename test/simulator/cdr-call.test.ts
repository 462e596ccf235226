import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CallShape, cdrLine, cdrOf, durationUs, identify, labelLine } from '../../src/simulator/cdr-call.ts'
import { parseCdr } from '../../src/wire/cdr-record.ts'
import { playTraffic } from '../fakes/cdr-run.ts'

const parties = { from: '12905550123', to: '444055501234', ingress: 'access-01', egress: 'carrier-02' }
const startUs = 1_767_600_000_000_000

function shape(outcome: CallShape['outcome'], more: Partial<CallShape> = {}): CallShape {
  return { outcome, postDialS: 1.5, ringS: 2.25, talkS: 10, ...more }
}

test('a call that the caller cancels while it rings: 487, cause 16, no talk', () => {
  const record = cdrOf(shape('cancel'), parties, startUs)
  assert.equal(record.ringUs, startUs + 1_500_000)
  assert.equal(record.answerUs, null)
  assert.equal(record.endUs, startUs + 3_750_000)
  assert.deepEqual([record.causeSip, record.causeQ850, record.releasedBy], [487, 16, 'caller'])
  assert.deepEqual([record.ringMs, record.talkMs], [2250, 0])
})

test('an answered call rings, is answered, and ends when the talk is over', () => {
  const record = cdrOf(shape('answered', { releasedBy: 'callee' }), parties, startUs)
  assert.equal(record.answerUs, startUs + 3_750_000)
  assert.equal(record.endUs, startUs + 13_750_000)
  assert.deepEqual([record.causeSip, record.causeQ850, record.releasedBy], [200, 16, 'callee'])
})

test('causes go with SIP statuses as in RFC 3398, and calls that never rang have no ringing', () => {
  const told = (outcome: CallShape['outcome']) => {
    const { causeSip, causeQ850, releasedBy, ringUs } = cdrOf(shape(outcome), parties, startUs)
    return [causeSip, causeQ850, releasedBy, ringUs !== undefined]
  }
  assert.deepEqual(told('busy'), [486, 17, 'callee', false])
  assert.deepEqual(told('not_found'), [404, 1, 'network', false])
  assert.deepEqual(told('rejected'), [603, 21, 'callee', true])
  assert.deepEqual(told('congestion'), [503, 34, 'network', false])
  assert.deepEqual(told('no_answer'), [480, 19, 'network', true])
})

test('a call lasts from set-up to release', () => {
  for (const outcome of ['answered', 'cancel', 'busy', 'rejected', 'no_answer'] as const) {
    const made = shape(outcome, { postDialS: 0.1234567, ringS: 3.7654321 })
    assert.equal(durationUs(made), (cdrOf(made, parties, startUs).endUs ?? 0) - startUs)
  }
})

test('withheld, short and impossible callers are marked as the mapping marks them', () => {
  const withheld = cdrOf(shape('busy'), { ...parties, fromState: 'withheld' }, startUs)
  assert.deepEqual([withheld.from, withheld.fromRaw, withheld.fromValid], [undefined, 'anonymous', false])
  assert.deepEqual(withheld.flags, ['from_withheld'])
  const short = cdrOf(shape('busy'), { ...parties, from: '48213', fromState: 'short' }, startUs)
  assert.deepEqual([short.from, short.fromValid, short.flags], ['48213', false, ['from_short']])
  const impossible = cdrOf(shape('busy'), { ...parties, fromState: 'impossible' }, startUs)
  assert.deepEqual([impossible.fromValid, impossible.flags], [false, undefined])
})

test('the line of a record reads back as the same record', () => {
  for (const { record } of playTraffic({ attempts: 8000, prevalence: { flash_call: 0.1, cli_spoof: 0.05 } })) {
    assert.deepEqual(parseCdr(JSON.parse(cdrLine(record)), 'canonical'), record)
  }
})

test('ids are those of the canonical source: source, call, leg, kind', () => {
  const record = cdrOf(shape('busy'), parties, startUs)
  identify(record, 'sim-train-1-7')
  assert.equal(record.id, 'canonical:sim-train-1-7:a:call')
  const truth = { label: 'wangiri', campaign: 'wangiri-2', subject: 'number:37130123456' } as const
  assert.equal(labelLine(record.id, truth), 'canonical:sim-train-1-7:a:call,wangiri,wangiri-2,number:37130123456')
})
