import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RecordMapper } from '../../src/wire/cdr-mapping.ts'
import { parseMapping, type SourceMapping } from '../../src/wire/cdr-mapping-schema.ts'
import { type CdrRecord, isProblem, type RecordProblem } from '../../src/wire/cdr-record.ts'

/** The least that a mapping needs; a test adds to it. */
const least = {
  input: { formats: ['json'] },
  fields: { id: 'id', from: 'from', to: 'to', start: 'start', answer: 'answer', end: 'end' },
}

function mappingOf(change: Record<string, unknown>): SourceMapping {
  const fields = { ...least.fields, ...(change['fields'] as object | undefined) }
  const mapping = parseMapping({ ...least, ...change, fields })
  assert.ok('fields' in mapping, String(mapping))
  return mapping
}

function outcome(change: Record<string, unknown>, fields: unknown, badUtf8 = false): CdrRecord | RecordProblem {
  const mapper = new RecordMapper('pbx', mappingOf(change))
  return mapper.map(mapper.read({ index: 0, line: 1, fields, columns: null, badUtf8 }, false))
}

function mapped(change: Record<string, unknown>, fields: object): CdrRecord {
  const record = outcome(change, { id: 'x', to: '+442079460123', start: '2026-03-01 10:00:00', ...fields })
  assert.ok(!isProblem(record), JSON.stringify(record))
  return record
}

describe('fields', () => {
  it('the first alternative with a value is taken; empty is no value', () => {
    const change = { fields: { from: ['cli', 'caller.number', 'ani[1]'] } }
    assert.equal(mapped(change, { cli: '', caller: { number: '+12025550123' } }).fromRaw, '+12025550123')
    assert.equal(mapped(change, { ani: ['1', '+12025550124'] }).fromRaw, '+12025550124')
  })

  it('keys with dots are quoted, and inherited names are no fields', () => {
    assert.equal(mapped({ fields: { from: '"a.b"' } }, { 'a.b': '+12025550123' }).from, '12025550123')
    assert.equal(mapped({ fields: { from: 'constructor.name' } }, {}).fromRaw, '')
  })

  it('a text can be matched, mapped, joined and constant', () => {
    const change = {
      fields: {
        ingress: { from: 'channel', match: '^([^-]+)-' },
        egress: { from: 'way', map: { 1: 'in', 2: 'out' }, otherwise: 'none' },
        callId: { join: ['cluster', 'call'], with: '/' },
        leg: { const: 'b' },
      },
    }
    const record = mapped(change, { channel: 'trunk-0001', way: 2, cluster: 'c', call: 7 })
    assert.deepEqual([record.ingress, record.egress, record.callId, record.leg], ['trunk', 'out', 'c/7', 'b'])
    assert.equal(mapped(change, {}).egress, 'none')
  })

  it('a record without an id of its own is known by its contents', () => {
    const change = { fields: { id: 'nothing' } }
    const first = mapped(change, { from: '1' })
    assert.equal(mapped(change, { from: '1' }).id, first.id)
    assert.notEqual(mapped(change, { from: '2' }).id, first.id)
  })

  it('the id is source, own id, leg and kind', () => {
    assert.equal(mapped({ fields: { leg: 'leg', kind: 'kind' } }, { leg: 'b', kind: 'stop' }).id, 'pbx:x:b:stop')
  })
})

describe('times', () => {
  it('0, empty and absent answers are never', () => {
    for (const answer of ['0', 0, '', null, '0000-00-00 00:00:00']) assert.equal(mapped({}, { answer }).answerUs, null)
    assert.equal(mapped({}, {}).answerUs, null)
  })

  it('an answer can be reckoned back from the end', () => {
    const change = { fields: { answer: { before: 'end', minus: { from: 'billmsec', unit: 'ms' } } } }
    const record = mapped(change, { end: '2026-03-01 10:01:00', billmsec: 20_600 })
    assert.deepEqual([record.answerUs, record.talkMs], [1_772_359_239_400_000, 20_600])
  })

  it('start and end that are reckoned from one another are neither', () => {
    const change = { fields: { start: { before: 'end', minus: 'd' }, end: { after: 'start', plus: 'd' } } }
    const record = outcome(change, { id: 'x', to: '200', d: 5 })
    assert.ok(isProblem(record) && record.code === 'field_missing')
  })

  const refusals: [fields: object, code: string, detail: RegExp][] = [
    [{ start: 'soon' }, 'time_unreadable', /^start: start is "soon"/],
    [{ end: '17723592' }, 'time_out_of_range', /^end: end is "17723592"/],
    [{ start: '' }, 'field_missing', /^start: start has no value/],
    [{ to: '' }, 'field_missing', /^to: to has no value/],
    [{ duration: 'long' }, 'duration_unreadable', /^callDuration: duration is "long"/],
    [{ from: 'x'.repeat(600) }, 'value_too_long', /^fromRaw: 600/],
  ]
  for (const [fields, code, detail] of refusals) {
    it(`${JSON.stringify(fields).slice(0, 50)} is ${code}`, () => {
      const base = { id: 'x', to: '+442079460123', start: '2026-03-01 10:00:00' }
      const problem = outcome({ fields: { callDuration: 'duration' } }, { ...base, ...fields })
      assert.ok(isProblem(problem))
      assert.equal(problem.code, code)
      assert.match(problem.detail, detail)
    })
  }

  it('what is no object is not_a_record', () => {
    for (const value of [null, 7, 'text']) {
      const problem = outcome({}, value)
      assert.ok(isProblem(problem) && problem.code === 'not_a_record')
    }
  })
})

describe('clock changes', () => {
  const berlin = { timeZone: 'Europe/Berlin', fields: { callDuration: 'duration' } }

  it("the switch's duration tells which of two equal hours a call began in", () => {
    // 02:50 is 00:50 or 01:50 UTC; 20 minutes before 03:10 (02:10 UTC) it was the second one.
    const times = { start: '2026-10-25 02:50:00', end: '2026-10-25 03:10:00' }
    const late = mapped(berlin, { ...times, duration: 1200 })
    assert.equal(late.startUs, Date.UTC(2026, 9, 25, 1, 50) * 1000)
    const early = mapped(berlin, { ...times, duration: 4800 })
    assert.equal(early.startUs, Date.UTC(2026, 9, 25, 0, 50) * 1000)
    assert.deepEqual(
      [late.flags, early.flags],
      [
        ['from_withheld', 'time_ambiguous'],
        ['from_withheld', 'time_ambiguous'],
      ],
    )
  })

  it('a call across the change does not end before it began', () => {
    const record = mapped(berlin, {
      start: '2026-10-25 02:58:00',
      answer: '2026-10-25 02:59:00',
      end: '2026-10-25 02:05:00',
    })
    assert.equal(record.startUs, Date.UTC(2026, 9, 25, 0, 58) * 1000)
    assert.equal(record.answerUs, Date.UTC(2026, 9, 25, 0, 59) * 1000)
    assert.equal(record.endUs, Date.UTC(2026, 9, 25, 1, 5) * 1000)
  })

  it('an hour that never was is flagged', () => {
    assert.ok(mapped(berlin, { start: '2026-03-29 02:30:00' }).flags?.includes('time_nonexistent'))
  })
})

describe('flags', () => {
  const cases: [fields: object, flag: string][] = [
    [{ end: '2026-03-01 09:59:00' }, 'end_before_start'],
    [{ answer: '2026-03-01 10:05:00', end: '2026-03-01 10:04:00' }, 'answer_outside_call'],
    [{ answer: '2026-03-01 10:05:00', end: '2026-03-01 10:05:00' }, 'answered_zero'],
    [{ answer: '2026-03-01 10:05:00', disposition: 'NO ANSWER' }, 'answer_disagrees'],
    [{ disposition: 'ANSWERED' }, 'answer_disagrees'],
    [{ end: '2026-03-01 10:01:00', duration: 70 }, 'duration_disagrees'],
    [{ start: '', answer: '2026-03-01 10:05:00' }, 'start_from_answer'],
    [{ start: '', end: '2026-03-01 10:05:00' }, 'start_from_end'],
    [{ from: 'Restricted' }, 'from_withheld'],
    [{ from: '110' }, 'from_short'],
  ]
  const change = {
    fields: { callDuration: 'duration' },
    disposition: [
      { when: { disposition: 'ANSWERED' }, is: 'yes' },
      { when: { disposition: 'NO ANSWER' }, is: 'no' },
    ],
  }
  for (const [fields, flag] of cases) {
    it(`${JSON.stringify(fields)} is kept and flagged ${flag}`, () => {
      const record = mapped(change, { from: '+12025550123', ...fields })
      assert.deepEqual(record.flags, [flag])
    })
  }

  it('bytes that are no UTF-8 are a flag, not a rejection', () => {
    const record = outcome(
      {},
      { id: 'x', from: '+12025550123', to: '+442079460123', start: '2026-03-01 10:00:00' },
      true,
    )
    assert.ok(!isProblem(record))
    assert.deepEqual(record.flags, ['bad_utf8'])
  })
})

describe('causes and verdicts', () => {
  it('what the switch said stays; Q.850 is filled in from it', () => {
    const change = { fields: { causeQ850: 'q', causeSip: 's', causeName: 'n' } }
    const causes = (fields: object) => {
      const { causeQ850, causeSip, causeRaw } = mapped(change, fields)
      return [causeQ850, causeSip, causeRaw]
    }
    assert.deepEqual(causes({ q: '16', s: '487' }), [16, 487, '487'])
    assert.deepEqual(causes({ s: '486 Busy Here' }), [17, 486, '486 Busy Here'])
    assert.deepEqual(causes({ n: 'ORIGINATOR_CANCEL', q: '487' }), [16, 487, 'ORIGINATOR_CANCEL'])
    assert.deepEqual(causes({ n: 'SOMETHING_NEW' }), [undefined, undefined, 'SOMETHING_NEW'])
    assert.deepEqual(causes({}), [undefined, undefined, undefined])
  })

  it('rules are taken in order and may look at what was worked out', () => {
    const change = {
      let: { side: ['bye', 'cancel'] },
      fields: { causeSip: 's', leg: 'leg' },
      releasedBy: [
        { when: { $side: 'A', $answered: 'yes' }, is: 'caller' },
        { when: { $side: { matches: '^B' } }, is: 'callee' },
        { otherwise: 'byCause' },
      ],
      attempt: [{ when: { $leg: { not: ['a', 'x'] } }, is: 'no' }],
    }
    const answer = '2026-03-01 10:00:05'
    assert.equal(mapped(change, { cancel: 'A', answer }).releasedBy, 'caller')
    assert.equal(mapped(change, { bye: 'B2' }).releasedBy, 'callee')
    assert.equal(mapped(change, { bye: 'A', s: 487 }).releasedBy, 'caller')
    assert.equal(mapped(change, { bye: 'A', s: 404 }).releasedBy, 'network')
    assert.equal(mapped(change, { bye: 'C', answer }).releasedBy, 'unknown')
    assert.equal(mapped(change, { leg: 'b' }).isAttempt, false)
    assert.equal(mapped(change, { leg: 'x' }).isAttempt, true)
  })

  it('conditions compare fields with one another', () => {
    const change = {
      releasedBy: [
        { when: { hangup: { same: 'a.channel' } }, is: 'caller' },
        { when: { hangup: { differs: 'a.channel' }, forced: { present: false } }, is: 'callee' },
      ],
    }
    assert.equal(mapped(change, { hangup: 'x', a: { channel: 'x' } }).releasedBy, 'caller')
    assert.equal(mapped(change, { hangup: 'y', a: { channel: 'x' } }).releasedBy, 'callee')
    assert.equal(mapped(change, { hangup: 'y', a: { channel: 'x' }, forced: true }).releasedBy, 'unknown')
    assert.equal(mapped(change, { hangup: 'y' }).releasedBy, 'unknown')
  })

  it('long attributes are cut; long fields of the record are not', () => {
    const record = mapped({ attributes: { agent: 'agent' } }, { agent: 'x'.repeat(1000) })
    assert.equal(record.attributes['agent']?.length, 512)
  })
})

it('a mapping without a called number or a time is refused', () => {
  const problems = parseMapping({ input: { formats: ['csv'] }, fields: { from: 'a' } })
  assert.ok(!('fields' in problems))
  assert.deepEqual(
    problems.map((problem) => problem.split(':')[0]),
    ['fields.to', 'fields.start'],
  )
})

it('a mapping with an unknown word, pattern, zone or format is refused', () => {
  const bad: object[] = [
    { ...least, sound: 'loud' },
    { ...least, fields: { ...least.fields, from: { from: 'a', match: '(' } } },
    { ...least, fields: { ...least.fields, start: { from: 'a', zone: 'Mars' } } },
    { ...least, fields: { ...least.fields, start: { from: 'a', format: 'xx' } } },
    { ...least, numbers: { country: 'XX' } },
    { ...least, join: { key: 'a', rows: { start: { a: 1 } }, opens: 'start', closes: ['stop'] } },
  ]
  for (const tree of bad) assert.ok(!('fields' in parseMapping(tree)), JSON.stringify(tree))
})
