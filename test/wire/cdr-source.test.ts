import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseMapping } from '../../src/wire/cdr-mapping-schema.ts'
import type { CdrRecord } from '../../src/wire/cdr-record.ts'
import { CdrSource } from '../../src/wire/cdr-source.ts'

const joining = {
  input: { formats: ['json'] },
  skip: [{ when: { method: 'OPTIONS' }, reason: 'other_method' }],
  join: {
    key: ['callid'],
    rows: { invite: { method: 'INVITE' }, ack: { method: 'ACK' }, bye: { method: 'BYE' } },
    opens: 'invite',
    closes: ['bye'],
    alone: { method: 'INVITE', code: { matches: '^[3-6]' } },
    holdCallsMax: 3,
    holdSecondsMax: 60,
  },
  fields: {
    id: ['invite.callid'],
    to: 'invite.to',
    answer: { from: 'invite.time', when: { 'invite.code': '200' } },
    end: ['bye.time', { from: 'invite.time', when: { 'invite.code': '486' } }],
    causeSip: 'invite.code',
  },
}

interface Run {
  readonly source: CdrSource
  readonly out: string[]
  readonly records: CdrRecord[]
  feed(...rows: object[]): void
}

function run(tree: object): Run {
  const mapping = parseMapping(tree)
  assert.ok('fields' in mapping, String(mapping))
  const out: string[] = []
  const records: CdrRecord[] = []
  const source = new CdrSource('sbc', mapping, {
    cdr(record) {
      records.push(record)
      out.push(`cdr ${record.callId}`)
    },
    rejected: ({ code }) => void out.push(code),
    skipped: (reason) => void out.push(reason),
  })
  let index = 0
  return {
    source,
    out,
    records,
    feed(...rows) {
      for (const fields of rows) {
        source.record({ index, line: index + 1, fields, columns: null, badUtf8: false })
        index++
      }
    },
  }
}

const invite = (callid: string, code = '200') => ({
  method: 'INVITE',
  callid,
  code,
  to: '442079460123',
  time: 1772359200,
})
const bye = (callid: string) => ({ method: 'BYE', callid, code: '200', time: 1772359242 })
const ack = (callid: string) => ({ method: 'ACK', callid, code: '200', time: 1772359201 })

describe('rows of one call', () => {
  it('become one record, whatever their order', () => {
    for (const rows of [
      [invite('1'), ack('1'), bye('1')],
      [bye('1'), invite('1')],
      [ack('1'), bye('1'), invite('1')],
    ]) {
      const { records, feed, source } = run(joining)
      feed(...rows)
      assert.deepEqual(
        records.map(({ callId, talkMs, flags }) => [callId, talkMs, flags?.includes('stop_missing')]),
        [['1', 42_000, false]],
      )
      assert.equal(source.waiting, 0)
    }
  })

  it('a failed attempt is a record at once', () => {
    const { out, feed } = run(joining)
    feed(invite('1', '486'))
    assert.deepEqual(out, ['cdr 1'])
  })

  it('a row that comes again, before or after the end, is a repetition and counts as such', () => {
    const { out, feed } = run(joining)
    feed(invite('1'), invite('1'), bye('1'), bye('1'), invite('1'))
    assert.deepEqual(out, ['repeated_row', 'cdr 1', 'repeated_row', 'repeated_row'])
  })

  it('a call without its end is a record with a flag; an end without its call is rejected', () => {
    const { out, records, feed, source } = run(joining)
    feed(invite('1'), bye('2'))
    source.end()
    assert.deepEqual(out, ['cdr 1', 'join_incomplete'])
    assert.deepEqual(records[0]?.flags, ['from_withheld', 'start_from_answer', 'stop_missing'])
  })

  it('a row that says not which call it is of is rejected by the key', () => {
    const { out, feed } = run(joining)
    feed({ method: 'BYE', time: 1772359242 })
    assert.deepEqual(out, ['field_missing'])
  })

  it('past holdCallsMax the call that waits longest leaves', () => {
    const { out, feed, source } = run(joining)
    feed(invite('1'), invite('2'), invite('3'), invite('4'))
    assert.deepEqual([out, source.waiting], [['cdr 1'], 3])
  })

  it('past holdSecondsMax calls leave', () => {
    const { out, feed, source } = run(joining)
    source.tick(1_000)
    feed(invite('1'))
    source.tick(50_000)
    feed(invite('2'))
    source.tick(62_000)
    assert.deepEqual([out, source.waiting], [['cdr 1'], 1])
  })
})

describe('forked legs', () => {
  const forking = {
    input: { formats: ['json'] },
    forks: { holdRecords: 3, callsMax: 2 },
    fields: { id: { join: ['call', 'leg'] }, callId: 'call', leg: 'leg', to: 'to', start: 'start', answer: 'answer' },
  }
  const leg = (call: string, name: string, answer = 0) => ({ call, leg: name, to: '200', start: 1772359200, answer })
  const attempts = (records: readonly CdrRecord[]) =>
    records.filter(({ isAttempt }) => isAttempt).map(({ callId, leg: name }) => callId + name)

  it('the leg that answered counts, else the first', () => {
    const { records, feed, source } = run(forking)
    feed(leg('A', '1'), leg('A', '2', 1772359205), leg('A', '3'), leg('B', '1'), leg('B', '2'))
    source.end()
    assert.deepEqual(attempts(records), ['A2', 'B1'])
    assert.equal(records.length, 5)
  })

  it('a leg that comes after its call was let go does not count again', () => {
    const { records, feed, source } = run(forking)
    feed(leg('A', '1'), leg('B', '1'), leg('C', '1'), leg('D', '1'), leg('A', '2', 1772359205))
    source.end()
    assert.deepEqual(attempts(records), ['A1', 'B1', 'C1', 'D1'])
    assert.deepEqual(records.find(({ callId, leg: name }) => callId + name === 'A2')?.flags, [
      'from_withheld',
      'to_short',
      'forked_leg',
    ])
  })

  it('the end of a batch lets all go', () => {
    const { records, feed, source } = run(forking)
    feed(leg('A', '1'))
    assert.equal(records.length, 0)
    source.endBatch()
    assert.equal(records.length, 1)
  })
})

it('every row ends as a record, a rejection, a skip or a part of a record; exactly once', () => {
  const row = fc.record({
    method: fc.constantFrom('INVITE', 'ACK', 'BYE', 'OPTIONS', 'MESSAGE'),
    callid: fc.constantFrom('1', '2', '3', '4', '5', undefined),
    code: fc.constantFrom('200', '486'),
    to: fc.constantFrom('442079460123', undefined),
    time: fc.constantFrom(1772359200, 'never read', 0),
  })
  fc.assert(
    fc.property(fc.array(row, { maxLength: 40 }), (rows) => {
      const { out, source, feed } = run(joining)
      feed(...rows)
      source.end()
      assert.equal(out.length + source.joinedRows, rows.length)
      assert.equal(source.waiting, 0)
    }),
    { numRuns: 500 },
  )
})
