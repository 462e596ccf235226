/** Messages of `WS /v1/cdr` in both encodings, against the library's own encoder. */
import { strict as assert } from 'node:assert'
import { describe, it } from 'node:test'
import { decode, encode } from '@msgpack/msgpack'
import fc from 'fast-check'
import { encodeAck, readEnvelope } from '../../src/wire/cdr-envelope.ts'

function eventsOf(bytes: Uint8Array, isBinary: boolean): { seq: number; events: unknown[]; problems: string[] } {
  const envelope = readEnvelope(bytes, isBinary)
  assert.ok(!('ask' in envelope))
  if ('fault' in envelope) throw new Error(envelope.fault)
  const events: unknown[] = []
  const problems: string[] = []
  const sink = {
    record: ({ fields }: { fields: unknown }) => void events.push(fields),
    undecodable: ({ code }: { code: string }) => void problems.push(code),
  }
  while (envelope.next(sink));
  return { seq: envelope.seq, events, problems }
}

/** Without `__proto__`: MessagePack's library refuses it, JSON takes it; the rule for it stands below. */
const keyName = fc.string().filter((name) => name !== '__proto__')
const event = fc.dictionary(keyName, fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null)), {
  noNullPrototype: true,
})

describe('an envelope', () => {
  it('gives its number and its events, in both encodings, whatever the order of keys and others among them', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.array(event, { maxLength: 40 }), fc.boolean(), (seq, events, turned) => {
        const value = turned ? { events, more: { a: [1] }, seq } : { seq, more: 'x', events }
        const plain = JSON.parse(JSON.stringify(events)) as unknown[]
        assert.deepEqual(eventsOf(encode(value), true), { seq, events: plain, problems: [] })
        assert.deepEqual(eventsOf(Buffer.from(JSON.stringify(value)), false), { seq, events: plain, problems: [] })
      }),
    )
  })

  it('refuses the one event with a key __proto__ in MessagePack, and its neighbours go on', () => {
    const poisoned = JSON.parse('{"__proto__":"x"}') as object
    const bytes = encode({ seq: 7, events: [{ id: 'a' }, poisoned, { id: 'b' }] })
    const { seq, events, problems } = eventsOf(bytes, true)
    assert.deepEqual([seq, events, problems.length], [7, [{ id: 'a' }, { id: 'b' }], 1])
  })

  it('is handed out in slices when it is large', () => {
    const events = Array.from({ length: 2000 }, (_, index) => ({ id: `${index}`, text: 'x'.repeat(100) }))
    for (const [bytes, isBinary] of [
      [encode({ seq: 1, events }), true],
      [Buffer.from(JSON.stringify({ seq: 1, events })), false],
    ] as const) {
      const envelope = readEnvelope(bytes, isBinary)
      assert.ok('next' in envelope)
      let calls = 1
      let count = 0
      const sink = { record: () => void count++, undecodable: () => assert.fail('undecodable') }
      while (envelope.next(sink)) calls += 1
      assert.equal(count, 2000)
      assert.ok(calls >= 5)
    }
  })

  it('is a fault when its shape is broken, and never an exception', () => {
    for (const value of [
      [],
      {},
      { seq: 1 },
      { events: [] },
      { seq: -1, events: [] },
      { seq: 1.5, events: [] },
      'x',
      5,
    ]) {
      assert.ok('fault' in readEnvelope(encode(value), true), JSON.stringify(value))
      assert.ok('fault' in readEnvelope(Buffer.from(JSON.stringify(value)), false), JSON.stringify(value))
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (bytes, isBinary) => {
        const envelope = readEnvelope(bytes, isBinary)
        if ('fault' in envelope || 'ask' in envelope) return
        const sink = { record: () => undefined, undecodable: () => undefined }
        while (envelope.next(sink));
      }),
      { numRuns: 2000 },
    )
  })

  it('that ask about a call give its numbers and route, in either encoding, and nothing else', () => {
    const ask = { ask: 7, from: '+12025550123', to: '442079460123', route: 'carrier-a' }
    for (const bare of [ask, { ask: 0, to: '1' }]) {
      const told = { from: '', route: undefined, ...bare }
      assert.deepEqual(readEnvelope(encode(bare), true), told)
      assert.deepEqual(readEnvelope(Buffer.from(JSON.stringify(bare)), false), told)
    }
    for (const bad of [
      { ask: -1, to: '1' },
      { ask: 1 },
      { ask: 1, to: 5 },
      { ask: 1, to: '1', route: {} },
      { ask: 'x' },
    ]) {
      assert.ok('fault' in readEnvelope(encode(bad), true), JSON.stringify(bad))
      assert.ok('fault' in readEnvelope(Buffer.from(JSON.stringify(bad)), false), JSON.stringify(bad))
    }
  })

  it('of which the end is missing gives the events that are whole, and says that one is not', () => {
    const bytes = encode({ seq: 4, events: [{ id: 'a' }, { id: 'b' }] })
    assert.deepEqual(eventsOf(bytes.subarray(0, bytes.length - 1), true), {
      seq: 4,
      events: [{ id: 'a' }],
      problems: ['record_truncated'],
    })
  })
})

it('an answer is written in the encoding of its message', () => {
  const ack = { ack: 1, accepted: 2, duplicates: 0, rejected: [] }
  assert.deepEqual(decode(encodeAck(ack, true) as Uint8Array), ack)
  assert.deepEqual(JSON.parse(encodeAck(ack, false) as string), ack)
})
