import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode, encode } from '@msgpack/msgpack'
import { MessagePacker } from '../../src/wire/cdr-pack.ts'

function packed(value: unknown): Buffer {
  const packer = new MessagePacker()
  packer.value(value)
  return packer.take()
}

test('an envelope is written byte by byte as the specification has it', () => {
  assert.equal(packed({ seq: 1, events: [{}] }).toString('hex'), '82a373657101a66576656e74739180')
})

test('values of every width are what the library writes', () => {
  const wholes = [0, 127, 128, 255, 256, 65_535, 65_536, 4_294_967_295, 4_294_967_296, 1_767_600_000_000_000, -1, -32]
  const texts = ['', 'a'.repeat(31), 'a'.repeat(32), 'a'.repeat(255), 'a'.repeat(256), 'a'.repeat(70_000)]
  const others = [null, true, false, 0.25, -1.5, [], new Array(15).fill(1), new Array(16).fill(1), { a: [{ b: null }] }]
  const many = Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`key${index}`, index]))
  for (const value of [...wholes, ...texts, ...others, many]) {
    assert.deepEqual(packed(value), Buffer.from(encode(value)), JSON.stringify(value)?.slice(0, 40))
  }
})

test('numbers below -32 come back as they were', () => {
  for (const value of [-33, -128, -70_000, -9_007_199_254_740_991]) assert.equal(Number(decode(packed(value))), value)
})

test('a byte that is no UTF-8 stays as it is', () => {
  assert.equal(packed('Jos\u00e9').toString('hex'), 'a44a6f73e9')
})

test('a packer is empty again after its bytes are taken', () => {
  const packer = new MessagePacker()
  packer.value('a'.repeat(100_000))
  packer.take()
  packer.value(7)
  assert.equal(packer.take().toString('hex'), '07')
})
