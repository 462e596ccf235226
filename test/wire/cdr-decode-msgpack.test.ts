/** Texts of MessagePack records, whatever their bytes: as node reads them, with the flag when they are no UTF-8. */
import { strict as assert } from 'node:assert'
import { Buffer, isUtf8 } from 'node:buffer'
import { it } from 'node:test'
import { encode } from '@msgpack/msgpack'
import fc from 'fast-check'
import { MsgpackDecoder } from '../../src/wire/cdr-decode-msgpack.ts'
import type { RawRecord } from '../../src/wire/cdr-raw.ts'

function decoded(bytes: Uint8Array): RawRecord[] {
  const records: RawRecord[] = []
  const decoder = new MsgpackDecoder()
  const sink = { record: (raw: RawRecord) => void records.push(raw), undecodable: () => assert.fail('undecodable') }
  decoder.push(bytes, sink)
  decoder.end(sink)
  return records
}

/** A map {"a": text, "b": "ok"} whose text is these very bytes. */
function record(text: Uint8Array): Buffer {
  const head = text.length < 32 ? [0xa0 + text.length] : [0xda, text.length >> 8, text.length & 255]
  return Buffer.concat([Buffer.from([0x82, 0xa1, 0x61, ...head]), text, Buffer.from([0xa1, 0x62, 0xa2, 0x6f, 0x6b])])
}

it('bytes that are no UTF-8 become U+FFFD and a flag, and swallow nothing behind them', () => {
  const bytes = fc.uint8Array({ maxLength: 400 }).filter((text) => text[0] !== 0xef)
  fc.assert(
    fc.property(bytes, bytes, (one, two) => {
      const records = decoded(Buffer.concat([record(one), record(two)]))
      for (const [index, text] of [one, two].entries()) {
        assert.deepEqual(records[index]?.fields, { a: Buffer.from(text).toString('utf8'), b: 'ok' })
        assert.equal(records[index]?.badUtf8, !isUtf8(text))
      }
    }),
  )
})

it('texts of any language come as they were written, as values, keys and elements', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 50 }).filter((value) => !value.startsWith('\ufeff'))
  const name = text.filter((key) => key !== '__proto__')
  fc.assert(
    fc.property(fc.dictionary(name, fc.oneof(text, fc.array(text)), { noNullPrototype: true }), (fields) => {
      const [raw] = decoded(encode(fields))
      assert.deepEqual(raw?.fields, fields)
      assert.equal(raw?.badUtf8, JSON.stringify(fields).includes('\ufffd') && raw?.badUtf8)
    }),
  )
})
