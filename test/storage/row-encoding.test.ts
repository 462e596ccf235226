/** Rows as text: what ClickHouse would quietly change is refused, everything else reads back as JSON. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { packChunk, rowEnds, unpackChunk } from '../../src/log/row-chunks.ts'
import { encodeRow } from '../../src/storage/row-encoding.ts'
import { type ColumnType, rowOf } from '../../src/storage/tables.ts'

function encoded(type: ColumnType, value: unknown): string {
  return encodeRow(['c'], [type], [value])
}

describe('row encoding', () => {
  it('writes one line of JSONCompactEachRow', () => {
    const row = ['CA1', 18_446_744_073_709_551_615n, Number.NaN, Date.UTC(2026, 0, 1)]
    const text = encodeRow(['a', 'b', 'c', 'd'], ['String', 'UInt64', 'Float32', 'Time'], row)
    assert.equal(text, '["CA1",18446744073709551615,"nan","2026-01-01T00:00:00.000Z"]\n')
  })

  it('refuses what ClickHouse would wrap, clip or take for zero', () => {
    const wrong: [ColumnType, unknown][] = [
      ['UInt8', 256],
      ['UInt8', -1],
      ['UInt16', 65_536],
      ['UInt32', 4_294_967_296],
      ['UInt32', 1.5],
      ['UInt32', Number.NaN],
      ['UInt64', 9_007_199_254_740_992],
      ['UInt64', 18_446_744_073_709_551_616n],
      ['UInt64', -1n],
      ['Time', Number.NaN],
      ['Time', Date.UTC(2300, 0, 1)],
      ['Time', new Date('nonsense')],
      ['String', null],
      ['String', 5],
      ['Float32', undefined],
      ['Float32', '1'],
    ]
    for (const [type, value] of wrong) assert.throws(() => encoded(type, value), /column c: not a/, `${type} ${value}`)
    assert.throws(() => encodeRow(['c'], ['UInt8'], []), /0 values for 1 columns/)
  })

  it('names the column of a wrong value, never the value', () => {
    assert.throws(
      () => encoded('UInt8', '+15550001111'),
      (thrown) => !String(thrown).includes('1555'),
    )
  })

  it('keeps any text on one line, and JSON.parse reads the same text, half surrogates apart', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const line = encoded('String', text)
        assert.equal(line.indexOf('\n'), line.length - 1)
        assert.deepEqual(JSON.parse(line), [Buffer.from(text, 'utf8').toString('utf8')])
      }),
    )
  })

  it('orders named values as the table has them', () => {
    const row = rowOf('audit', {
      remote: 'r',
      at: 0,
      actor: 'a',
      action: 'x',
      role: 'admin',
      detail: 'd',
      subject: 's',
      result: 'ok',
      hash: 'h',
      seq: 7,
      chain: 'c',
      prev_hash: 'p',
    })
    assert.deepEqual(row, [0, 'a', 'admin', 'x', 's', 'ok', 'r', 'd', 'c', 7, 'p', 'h'])
  })
})

describe('chunks of rows in the log', () => {
  it('come back with their columns and lines', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1, maxLength: 20 }), (texts) => {
        const lines = texts.map((text) => encoded('String', text))
        const chunk = unpackChunk(packChunk('a,é', lines))
        assert(chunk !== null)
        assert.deepEqual([chunk.rows, chunk.columns], [lines.length, 'a,é'])
        assert.equal(Buffer.from(chunk.lines).toString('utf8'), lines.join(''))
        assert.equal(rowEnds(chunk.lines).length, lines.length)
      }),
    )
  })

  it('are told from bytes that are no chunk', () => {
    assert.equal(unpackChunk(Buffer.from('abc')), null)
    assert.equal(unpackChunk(Buffer.from([1, 0, 0, 0, 255, 255, 1])), null)
  })
})
