/** Blocks of ClickHouse's Native format, written by the engine (26.7) unless said otherwise. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { nativeFor } from '../../src/wire/native-blocks.ts'

const bytes = (hex: string): Buffer => Buffer.from(hex.replace(/\s/g, ''), 'hex')
const text = (value: string): string => Buffer.from([value.length, ...Buffer.from(value)]).toString('hex')
const info = '01 00 02 ffffffff 00'

it('a block of a client that names no version stays as it is', () => {
  const one = bytes(`01 01 ${text('1')} ${text('UInt8')} 01`)
  assert.equal(nativeFor(0, one), one)
})

it('a later client gets a block info, and from 54454 on a byte before each column', () => {
  const two = `${text('a')} ${text('UInt16')} 0100 0200`
  const named = `${text('b')} ${text('String')} ${text('x')} ${text('')}`
  const plain = bytes(`02 02 ${two} ${named}`)
  assert.deepEqual(nativeFor(54_453, plain), bytes(`${info} 02 02 ${two} ${named}`))
  const first = `${text('a')} ${text('UInt16')} 00 0100 0200`
  const expected = `${info} 02 02 ${first} ${text('b')} ${text('String')} 00 ${text('x')} 00`
  assert.deepEqual(nativeFor(54_460, plain), bytes(expected))
  assert.deepEqual(nativeFor(54_460, Buffer.concat([plain, plain])), bytes(`${expected} ${expected}`))
})

it('values of every type of our tables are passed by, however they are nested', () => {
  const u64 = (value: number): string => Buffer.from(BigUint64Array.of(BigInt(value)).buffer).toString('hex')
  const columns: [string, string][] = [
    ["DateTime64(3, 'UTC')", u64(1) + u64(2)],
    ["Enum8('a(,' = 1, 'b\\')' = 2)", '01 02'],
    ['Nullable(Float32)', '00 01 0000803f 00000000'],
    ['Array(Array(String))', `${u64(1)} ${u64(2)} ${u64(2)} ${u64(3)} ${text('x')} ${text('y')} ${text('z')}`],
    ['Map(String, Decimal(18, 2))', `${u64(0)} ${u64(1)} ${text('k')} ${u64(125)}`],
    ['Tuple(`a b` UInt8, c FixedString(2), Tuple(UUID))', `01 02 6162 6364 ${'00'.repeat(32)}`],
    ['LowCardinality(Nullable(String))', `${u64(1)} ${u64(512)} ${u64(2)} 00 ${text('v')} ${u64(2)} 01 00`],
    [
      'Array(LowCardinality(String))',
      `${u64(1)} ${u64(0)} ${u64(1)} ${u64(513)} ${u64(1)} ${text('v')} ${u64(1)} 0000`,
    ],
  ]
  for (const [type, values] of columns) {
    const column = `${text('c')} ${text(type)}`
    // What follows shows that the walk ended where the values end.
    const next = `${text('n')} ${text('UInt8')}`
    const plain = bytes(`02 02 ${column} ${values} ${next} 07 08`)
    assert.deepEqual(nativeFor(54_460, plain), bytes(`${info} 02 02 ${column} 00 ${values} ${next} 00 07 08`), type)
  }
})

it('a type whose bytes are not known, or a block cut short, is refused', () => {
  assert.throws(() => nativeFor(54_460, bytes(`01 01 ${text('j')} ${text('JSON')} 00`)), /type JSON is not sent/)
  assert.throws(() => nativeFor(54_460, bytes(`01 02 ${text('a')} ${text('UInt64')} 00`)), /too early/)
})
