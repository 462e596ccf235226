import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { splitCsvRow } from '../../src/wire/cdr-decode-csv.ts'

/** The other way round: RFC 4180 section 2, rules 5 to 7. */
function writeRow(fields: readonly string[], delimiter: string): string {
  return fields
    .map((field) => (field.includes('"') || field.includes(delimiter) ? `"${field.replaceAll('"', '""')}"` : field))
    .join(delimiter)
}

it('a row that is written by RFC 4180 comes back', () => {
  const field = fc.string({ unit: fc.constantFrom('a', '1', '"', ',', ';', ' ', 'é') })
  fc.assert(
    fc.property(
      fc.array(field, { minLength: 1, maxLength: 8 }),
      fc.constantFrom(',', ';', '|'),
      (fields, delimiter) => {
        // Rule 5 wants quotes only where they are needed; a field that begins with one is such a field.
        assert.deepEqual(splitCsvRow(writeRow(fields, delimiter), delimiter, '"'), fields)
      },
    ),
  )
})

it('without quotes a row is what lies between delimiters', () => {
  fc.assert(fc.property(fc.string(), (text) => assert.deepEqual(splitCsvRow(text, '|', null), text.split('|'))))
})

it('a quote that is open at the end is told', () => {
  assert.equal(splitCsvRow('a,"b', ',', '"'), null)
  assert.equal(splitCsvRow('a,"b""', ',', '"'), null)
})
