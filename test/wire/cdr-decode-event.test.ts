import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { EventTextDecoder, parsePairs } from '../../src/wire/cdr-decode-event.ts'
import type { RawRecord } from '../../src/wire/cdr-raw.ts'

function decode(bytes: Uint8Array, percent: boolean): RawRecord[] {
  const records: RawRecord[] = []
  const sink = { record: (raw: RawRecord) => void records.push(raw), undecodable: () => assert.fail() }
  const decoder = new EventTextDecoder(percent)
  decoder.push(bytes, sink)
  decoder.end(sink)
  return records
}

const name = fc.stringMatching(/^[A-Za-z][A-Za-z-]{0,15}$/)

it('events that are written with encodeURIComponent come back', () => {
  const event = fc.dictionary(
    name,
    fc.string({ unit: 'grapheme' }).map((text) => text.trim()),
    { minKeys: 1 },
  )
  fc.assert(
    fc.property(fc.array(event, { maxLength: 5 }), fc.constantFrom('\n', '\r\n'), (events, end) => {
      const lines = (one: Record<string, string>) =>
        Object.entries(one).map(([key, value]) => `${key}: ${encodeURIComponent(value)}${end}`)
      const text = events.map((one) => `${lines(one).join('')}${end}`).join('')
      assert.deepEqual(
        decode(Buffer.from(text), true).map(({ fields }) => ({ ...(fields as object) })),
        events.map((one) => ({ ...one })),
      )
    }),
  )
})

it('a value of escapes that are no UTF-8 is read with a flag; its neighbours without', () => {
  const [first, second] = decode(Buffer.from('A: Jos%E9\n\nA: Jos%C3%A9\n\n'), true)
  assert.deepEqual([{ ...(first?.fields as object) }, first?.badUtf8], [{ A: 'Jos\uFFFD' }, true])
  assert.deepEqual([{ ...(second?.fields as object) }, second?.badUtf8], [{ A: 'José' }, false])
})

it('escapes that are none stay as they are', () => {
  const [record] = decode(Buffer.from('Ringback: %(2000,4000,440,480) 100%\n\n'), true)
  assert.deepEqual({ ...(record?.fields as object) }, { Ringback: '%(2000,4000,440,480) 100%' })
})

it('pairs that are written with a separator come back', () => {
  const value = fc.string({ unit: fc.constantFrom('a', '1', ' ', ':', '@') }).map((text) => text.trim())
  fc.assert(
    fc.property(fc.dictionary(fc.stringMatching(/^[a-z_]{1,8}$/), value, { minKeys: 1 }), (pairs) => {
      const text = Object.entries(pairs)
        .map(([key, one]) => `${key}=${one}`)
        .join(';')
      assert.deepEqual({ ...parsePairs(`Mar 1 host: ACC: ${text}`, { pairs: ';', equals: '=' }) }, { ...pairs })
    }),
  )
})
