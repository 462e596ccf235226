import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { BusEvent, EventType } from '../../src/notify/event-bus.ts'
import { NoticeSieve, wants } from '../../src/notify/notice.ts'
import { noticeOf } from '../fakes/notices.ts'

const nowMs = Date.UTC(2026, 0, 1)

let nextId = 1
function event(type: EventType, data: object): BusEvent {
  return { id: nextId++, type, data }
}

function verdict(label: string, over: object = {}): BusEvent {
  const data = { callSid: 'CA1', track: 'inbound', state: 'live', label, provisional: true, at: '2026-01-01T00:00:05Z' }
  return event('verdict', { ...data, ...over })
}

describe('notices', () => {
  it('tell a track once per stage, not per window: label, firm label, end', () => {
    const sieve = new NoticeSieve()
    const told = [
      verdict('insufficient_speech'),
      verdict('insufficient_speech'),
      verdict('likely_synthetic'),
      verdict('likely_synthetic'),
      verdict('likely_synthetic', { provisional: false }),
      verdict('likely_synthetic', { provisional: false }),
      verdict('inconclusive', { provisional: false }),
      verdict('inconclusive', { provisional: false, state: 'ended' }),
    ].map((each) => sieve.take(each, nowMs))
    assert.deepEqual(
      told.map((notice) => notice && [notice.about, notice.stage, notice.severity]),
      [
        null,
        null,
        ['call/CA1', 'inbound/likely_synthetic/provisional', 'medium'],
        null,
        ['call/CA1', 'inbound/likely_synthetic/firm', 'high'],
        null,
        ['call/CA1', 'inbound/inconclusive/firm', 'low'],
        ['call/CA1', 'inbound/ended', 'info'],
      ],
    )
    assert.equal(told[2]?.at, '2026-01-01T00:00:05Z')
    assert.equal(sieve.size, 0, 'a track that ended is forgotten')
  })

  it('keep the tracks of a call apart', () => {
    const sieve = new NoticeSieve()
    assert.notEqual(sieve.take(verdict('likely_human'), nowMs), null)
    assert.notEqual(sieve.take(verdict('likely_human', { track: 'outbound' }), nowMs), null)
  })

  it('tell of a case what somebody would act upon, as severe as what it costs and does', () => {
    const sieve = new NoticeSieve()
    const change = (name: string, kind: string, intended?: string) => {
      const action = intended === undefined ? {} : { action: { intended } }
      const notice = sieve.take(
        event('case', { change: name, case: { id: 'c1', kind, score: 0.95, ...action } }),
        nowMs,
      )
      return notice && [notice.about, notice.stage, notice.kind, notice.severity]
    }
    assert.equal(change('strengthened', 'wangiri', 'block'), null)
    assert.deepEqual(change('opened', 'irsf', 'allow'), ['case/c1', 'opened', 'irsf', 'critical'])
    assert.deepEqual(change('opened', 'wangiri', 'block'), ['case/c1', 'opened', 'wangiri', 'high'])
    assert.deepEqual(change('opened', 'robocall', 'label'), ['case/c1', 'opened', 'robocall', 'medium'])
    assert.deepEqual(change('opened', 'anomaly', 'allow'), ['case/c1', 'opened', 'anomaly', 'low'])
    assert.deepEqual(change('dismissed', 'wangiri'), ['case/c1', 'dismissed', 'wangiri', 'low'])
  })

  it('tell of actions with their call or case, of health and models with the severity they bring', () => {
    const sieve = new NoticeSieve()
    const acted = (action: object) => sieve.take(event('action', { callSid: 'CA1', track: 'inbound', action }), nowMs)
    const hangup = acted({ action: 'hangup', rule: 'sure', state: 'done', shadow: false })
    assert.deepEqual(
      [hangup?.about, hangup?.stage, hangup?.kind, hangup?.severity],
      ['call/CA1', 'inbound/hangup/sure/done', 'hangup', 'high'],
    )
    assert.equal(hangup?.at, '2026-01-01T00:00:00.000Z')
    assert.equal(acted({ action: 'notify', rule: 'tell', state: 'shadow', shadow: true })?.severity, 'low')
    assert.equal(acted({ action: 'observe', rule: 'see', state: 'done' })?.severity, 'info')
    const handsOff = sieve.take(event('action', { change: 'hands_off', callSid: 'CA1' }), nowMs)
    assert.deepEqual([handsOff?.stage, handsOff?.severity], ['hands_off', 'low'])
    const health = sieve.take(event('health', { code: 'storage_down', severity: 'critical' }), nowMs)
    assert.deepEqual([health?.about, health?.stage, health?.severity], ['health', 'storage_down', 'critical'])
  })

  it('are wanted by type, by kind where they have one, and from a severity on', () => {
    const all = { types: ['verdict', 'health'] as const, kinds: [], minSeverity: 'medium' as const }
    assert.equal(wants(all, noticeOf(1)), true)
    assert.equal(wants(all, noticeOf(1, 'a', { type: 'case' })), false)
    assert.equal(wants(all, noticeOf(1, 'a', { severity: 'low' })), false)
    assert.equal(wants({ ...all, kinds: ['irsf'] }, noticeOf(1)), false)
    assert.equal(wants({ ...all, kinds: ['irsf'] }, noticeOf(1, 'a', { type: 'health', kind: '' })), true)
    const hangup = noticeOf(1, 'a', { type: 'action', kind: 'hangup' })
    assert.equal(wants({ types: ['action'], kinds: ['irsf'], minSeverity: 'info' }, hangup), true)
  })
})
