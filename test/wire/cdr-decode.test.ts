import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { encode } from '@msgpack/msgpack'
import fc from 'fast-check'
import {
  type CdrFormat,
  cdrFormats,
  createRecordDecoder,
  type DecodeOptions,
  decodeBody,
  formatOfContentType,
  sniffFormat,
} from '../../src/wire/cdr-decode.ts'
import type { RawProblem, RawRecord } from '../../src/wire/cdr-raw.ts'

const options: DecodeOptions = {
  formats: [...cdrFormats],
  csv: { delimiter: ',', quote: '"', columns: null, header: 'yes', foldNames: false, skipLines: 0, encoding: 'utf-8' },
  xmlRecord: 'cdr',
  keyValue: { pairs: ';', equals: '=' },
  percentValues: false,
}

interface Decoded {
  records: RawRecord[]
  problems: RawProblem[]
}

/** Feeds the bytes in pieces of the sizes given, over and over. */
function decode(format: CdrFormat, bytes: Uint8Array, sizes: readonly number[] = [bytes.length || 1]): Decoded {
  const out: Decoded = { records: [], problems: [] }
  const sink = {
    record: (raw: RawRecord) => void out.records.push(raw),
    undecodable: (problem: RawProblem) => void out.problems.push(problem),
  }
  const decoder = createRecordDecoder(format, options)
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    decoder.push(Uint8Array.prototype.slice.call(bytes, at, at + size), sink)
    at += size
  }
  decoder.end(sink)
  return out
}

function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}

function fieldsOf(decoded: Decoded): unknown[] {
  return decoded.records.map(({ fields }) => ({ ...(fields as object) }))
}

/** Format, bytes (each character one byte), what comes out, and the codes of what does not. */
const table: { format: CdrFormat; text: string; fields: unknown[]; codes?: string[]; bad?: number[] }[] = [
  { format: 'json', text: '{"a":1}', fields: [{ a: 1 }] },
  { format: 'json', text: '[{"a":"]}"},\n {"b":[{"c":"\\""}]}]', fields: [{ a: ']}' }, { b: [{ c: '"' }] }] },
  { format: 'json', text: '{"a":1}{"b":2}\n{"c":3}', fields: [{ a: 1 }, { b: 2 }, { c: 3 }] },
  { format: 'json', text: '[{"a":1},{"b":},{"c":3}]', fields: [{ a: 1 }, { c: 3 }], codes: ['json_malformed'] },
  { format: 'json', text: '[{"a":1},{"b":', fields: [{ a: 1 }], codes: ['record_truncated'] },
  { format: 'json', text: '[]', fields: [] },
  { format: 'json', text: 'no json', fields: [], codes: ['json_malformed', 'json_malformed'] },
  { format: 'json', text: '[{"n":"Jos\xe9"},{"n":"x"}]', fields: [{ n: 'Jos\uFFFD' }, { n: 'x' }], bad: [0] },
  { format: 'ndjson', text: '{"a":1}\n\n{"b":\r\n{"c":3}', fields: [{ a: 1 }, { c: 3 }], codes: ['json_malformed'] },
  { format: 'netstring', text: '7:{"a":1},7:{"b":2},', fields: [{ a: 1 }, { b: 2 }] },
  { format: 'netstring', text: '7:{"a":1},5:{"b":2},', fields: [{ a: 1 }], codes: ['netstring_malformed'] },
  { format: 'netstring', text: '7:{"a":1},7:{"b"', fields: [{ a: 1 }], codes: ['record_truncated'] },
  { format: 'form', text: 'cdr=%7B%22a%22%3A%22b%20c%22%7D', fields: [{ a: 'b c' }] },
  { format: 'form', text: 'cdr={"a":"b+c"}', fields: [{ a: 'b c' }] },
  { format: 'form', text: '%7B%22a%22%3A1%7D\n', fields: [{ a: 1 }] },
  { format: 'form', text: 'uuid=x&cdr=eyJhIjoxfQ==', fields: [{ a: 1 }] },
  {
    format: 'form',
    text: 'CallSid=CA1&From=%2B1202&Name=a+b',
    fields: [{ CallSid: 'CA1', From: '+1202', Name: 'a b' }],
  },
  { format: 'form', text: 'Name=Jos%E9&A=b', fields: [{ Name: 'Jos\uFFFD', A: 'b' }], bad: [0] },
  { format: 'form', text: 'nothing\nA=b', fields: [{ A: 'b' }], codes: ['form_malformed'] },
  { format: 'form-base64', text: 'cdr=eyJhIjoiPj4+In0=', fields: [{ a: '>>>' }] },
  { format: 'form-base64', text: 'cdr=eyJhIjoiPj4 In0%3D', fields: [{ a: '>>>' }] },
  { format: 'form-base64', text: 'cdr=!!!\ncdr=eyJhIjoxfQ==', fields: [{ a: 1 }], codes: ['base64_malformed'] },
  {
    format: 'xml',
    text: '<?xml version="1.0"?><l><cdr id="7"><a>x &amp; y</a><b><c>1</c><c>2</c></b><d/></cdr><cdrData/></l>',
    fields: [{ '@id': '7', a: 'x & y', b: { c: ['1', '2'] }, d: '' }],
  },
  { format: 'xml', text: '<cdr><a>&#233;&#xe9;<![CDATA[<b>]]></a></cdr>', fields: [{ a: 'éé<b>' }] },
  { format: 'xml', text: '<cdr><a></b></cdr><cdr><a>1</a></cdr>', fields: [{ a: '1' }], codes: ['xml_malformed'] },
  { format: 'xml', text: '<cdr><a>1</a><cdr><a>2</a></cdr>', fields: [{ a: '2' }], codes: ['xml_malformed'] },
  { format: 'xml', text: '<cdr><a>1</a></cdr><cdr><a>', fields: [{ a: '1' }], codes: ['record_truncated'] },
  { format: 'xml', text: '<cdr><a>Jos\xe9</a></cdr>', fields: [{ a: 'Jos\uFFFD' }], bad: [0] },
  {
    format: 'event-text',
    text: 'Event-Name: X\nA: 1\nA: 1\nA: 2\nUrl: sip:a@b\n\n\nEvent: Cdr\r\nB:\r\n\r\n',
    fields: [
      { 'Event-Name': 'X', A: ['1', '2'], Url: 'sip:a@b' },
      { Event: 'Cdr', B: '' },
    ],
  },
  {
    format: 'event-text',
    text: 'E_ACC_CDR\ncallid::a::b\nd::4\n\n',
    fields: [{ event: 'E_ACC_CDR', callid: 'a::b', d: '4' }],
  },
  { format: 'event-text', text: 'Banner/1.0\n\nA: 1', fields: [{ A: '1' }] },
  { format: 'event-text', text: 'no\nheader\n\nA: 1', fields: [{ A: '1' }], codes: ['event_malformed'] },
  {
    format: 'keyvalue',
    text: 'Mar 1 host: ACC: answered: t=1;m=INVITE;r=Request Terminated;q="a;b"',
    fields: [{ t: '1', m: 'INVITE', r: 'Request Terminated', q: 'a;b' }],
  },
  { format: 'keyvalue', text: 'nothing\na=1', fields: [{ a: '1' }], codes: ['event_malformed'] },
  { format: 'csv', text: 'a,b\n1,"x ""y"""\n', fields: [{ 0: '1', 1: 'x "y"' }] },
  {
    format: 'csv',
    text: 'a,b\n1,"x\ny"\n2,z',
    fields: [
      { 0: '1', 1: 'x\ny' },
      { 0: '2', 1: 'z' },
    ],
  },
  {
    format: 'csv',
    text: 'a,b\n1,5" pipe\n2,z',
    fields: [
      { 0: '1', 1: '5" pipe' },
      { 0: '2', 1: 'z' },
    ],
  },
  { format: 'csv', text: 'a,b\n"1,x\n2,y', fields: [{ 0: '2', 1: 'y' }], codes: ['csv_quote_unclosed'] },
  {
    format: 'csv',
    text: '\xef\xbb\xbfa,b\n1,Jos\xe9\n2,ok',
    fields: [
      { 0: '1', 1: 'Jos\uFFFD' },
      { 0: '2', 1: 'ok' },
    ],
    bad: [0],
  },
]

describe('every format gives its records, and its bad ones do not take neighbours along', () => {
  for (const { format, text, fields, codes = [], bad = [] } of table) {
    it(`${format}: ${JSON.stringify(text.slice(0, 60))}`, () => {
      const whole = decode(format, bytesOf(text))
      assert.deepEqual(fieldsOf(whole), fields)
      assert.deepEqual(
        whole.problems.map(({ code }) => code),
        codes,
      )
      const flagged = whole.records.flatMap(({ badUtf8 }, position) => (badUtf8 ? [position] : []))
      assert.deepEqual(flagged, bad)
    })
  }

  it('wherever the bytes are cut into chunks, the records are the same', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 17 }), { minLength: 1, maxLength: 6 })
    for (const { format, text } of table) {
      const whole = decode(format, bytesOf(text))
      fc.assert(
        fc.property(sizes, (cuts) => assert.deepEqual(decode(format, bytesOf(text), cuts), whole)),
        { numRuns: 25 },
      )
    }
  })
})

const key = fc.constantFrom('a', 'b', 'caller', 'start')
const record = fc.dictionary(
  key,
  fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.array(fc.boolean(), { maxLength: 20 })),
)
const records = fc.array(record, { maxLength: 20 })
const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 })
const plain = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown

describe('decoders against the encoders of others', () => {
  it('MessagePack: one array, or values one behind the other', () => {
    fc.assert(
      fc.property(records, cuts, (list, sizes) => {
        assert.deepEqual(plain(fieldsOf(decode('msgpack', encode(list), sizes))), plain(list))
        const stream = Buffer.concat(list.map((one) => encode(one)))
        assert.deepEqual(plain(fieldsOf(decode('msgpack', stream, sizes))), plain(list))
      }),
    )
  })

  it('JSON: whatever the spacing', () => {
    fc.assert(
      fc.property(records, cuts, fc.integer({ min: 0, max: 4 }), (list, sizes, indent) => {
        const decoded = decode('json', Buffer.from(JSON.stringify(list, null, indent)), sizes)
        assert.deepEqual(plain(fieldsOf(decoded)), plain(list))
        assert.equal(decoded.problems.length, 0)
      }),
    )
  })

  it('MessagePack that ends early, or is none, is told and not thrown', () => {
    const bytes = encode([{ a: 1 }, { b: 'text' }])
    const cut = decode('msgpack', bytes.subarray(0, bytes.length - 2))
    assert.deepEqual([fieldsOf(cut), cut.problems.map(({ code }) => code)], [[{ a: 1 }], ['record_truncated']])
    assert.deepEqual(decode('msgpack', Buffer.from([0xc1])).problems[0]?.code, 'msgpack_malformed')
  })

  it('no bytes make a decoder throw', () => {
    fc.assert(
      fc.property(fc.constantFrom(...cdrFormats), fc.uint8Array({ maxLength: 200 }), cuts, (format, bytes, sizes) => {
        decode(format, bytes, sizes)
      }),
      { numRuns: 500 },
    )
  })
})

describe('decodeBody', () => {
  it('gzip is taken as it is, within its limit', () => {
    const body = gzipSync('{"a":1}')
    assert.deepEqual(
      decodeBody(body, 'json', options, 1000).records.map(({ fields }) => fields),
      [{ a: 1 }],
    )
    assert.equal(decodeBody(gzipSync('x'.repeat(5000)), 'json', options, 1000).problems[0]?.code, 'gzip_malformed')
    assert.equal(decodeBody(body.subarray(0, 12), 'json', options, 1000).problems[0]?.code, 'gzip_malformed')
  })

  it('one malformed record of a JSON array is one problem with its index', () => {
    const { records: good, problems } = decodeBody(Buffer.from('[{"a":1},{"b":},{"c":3}]'), 'json', options, 1000)
    assert.deepEqual(
      good.map(({ index }) => index),
      [0, 2],
    )
    assert.deepEqual(
      problems.map(({ index, code }) => [index, code]),
      [[1, 'json_malformed']],
    )
  })

  it('a record that is longer than the limit is told once and skipped', () => {
    const long = `{"a":"${'x'.repeat(1_100_000)}"}`
    for (const format of ['json', 'ndjson'] as const) {
      const decoded = decode(format, Buffer.from(`{"b":1}\n${long}\n{"c":2}`), [65_536])
      assert.equal(decoded.records.length, 2)
      assert.deepEqual(fieldsOf(decoded), [{ b: 1 }, { c: 2 }])
      assert.deepEqual(
        decoded.problems.map(({ code }) => code),
        ['record_too_large'],
      )
    }
  })
})

it('formats are told by Content-Type and by how a file begins', () => {
  assert.equal(formatOfContentType('application/json; charset=utf-8'), 'json')
  assert.equal(formatOfContentType('application/x-www-form-base64-encoded'), 'form-base64')
  assert.equal(formatOfContentType('image/png'), null)
  const heads: [string, CdrFormat][] = [
    ['{"a":1}\n{"b":2}\n', 'ndjson'],
    ['{\n "a":1}', 'json'],
    ['[{"a":1}]', 'json'],
    ['cdr=%7B', 'form'],
    ['CallSid=CA1&From=x', 'form'],
    ['<?xml version="1.0"?>', 'xml'],
    ['7:{"a":1},', 'netstring'],
    ['Event-Name: X\n', 'event-text'],
    ['Asterisk Call Manager/5.0\r\n', 'event-text'],
    ['E_ACC_CDR\nmethod::INVITE', 'event-text'],
    ['Mar 1 host kamailio: ACC: x: timestamp=1;method=INVITE', 'keyvalue'],
    ['"a","b"\n', 'csv'],
    ['\x92\x81\xa1a', 'msgpack'],
  ]
  for (const [head, format] of heads) assert.equal(sniffFormat(bytesOf(head), cdrFormats), format, head)
})
