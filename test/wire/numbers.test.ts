import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parsePhoneNumberFromString } from 'libphonenumber-js'
import { defaultNumberPlan, type NumberPlan, NumberReader, userPart } from '../../src/wire/numbers.ts'

function reader(plan: Partial<NumberPlan> = {}): NumberReader {
  return new NumberReader({ ...defaultNumberPlan, ...plan })
}

describe('NumberReader', () => {
  const german = reader({ country: 'DE', bare: 'national' })
  const american = reader({ country: 'US', bare: 'national', strip: ['9011#', '9'] })
  const wholesale = reader()
  const cases: [NumberReader, raw: string, digits: string | undefined, valid: boolean, state: string][] = [
    [wholesale, '+12025550123', '12025550123', true, 'number'],
    [wholesale, '12025550123', '12025550123', true, 'number'],
    [wholesale, '0012025550123', '12025550123', true, 'number'],
    [wholesale, '01112025550123', '12025550123', true, 'number'],
    [wholesale, '+44 20 7946 0123', '442079460123', true, 'number'],
    [wholesale, '+4999', '4999', false, 'short'],
    [wholesale, '+12021234', '12021234', false, 'number'],
    [wholesale, '999999999999', '999999999999', false, 'number'],
    [german, '03023125000', '493023125000', true, 'number'],
    [german, '0301234567', '49301234567', true, 'number'],
    [german, '1001', '1001', false, 'short'],
    [german, '442079460123', '442079460123', true, 'number'],
    [american, '92025550123', '12025550123', true, 'number'],
    [american, '9011#12025550123', '12025550123', true, 'number'],
    [american, '*67', '*67', false, 'short'],
    [wholesale, 'Restricted', undefined, false, 'withheld'],
    [wholesale, 'anonymous', undefined, false, 'withheld'],
    [wholesale, 'sip:anonymous@anonymous.invalid', undefined, false, 'withheld'],
    [wholesale, '', undefined, false, 'withheld'],
    [wholesale, '<unknown>', undefined, false, 'withheld'],
    [wholesale, 'client:alice', undefined, false, 'unreadable'],
    [wholesale, '"Bob" <+12025550123>', '12025550123', true, 'number'],
    [wholesale, 'sip:+12025550123@203.0.113.1;user=phone', '12025550123', true, 'number'],
  ]
  for (const [numbers, raw, digits, valid, state] of cases) {
    it(`${JSON.stringify(raw)} reads as ${digits ?? state}`, () => {
      assert.deepEqual(numbers.read(raw), { digits, valid, state })
    })
  }

  it('remembering verdicts per range gives what libphonenumber gives for each number', () => {
    const numbers = reader()
    const codes = fc.constantFrom('1', '44', '49', '33', '7', '86', '91', '234', '355', '382', '39', '61')
    const subscriber = fc.integer({ min: 0, max: 9_999_999_999 })
    const property = fc.property(codes, subscriber, fc.integer({ min: 6, max: 11 }), (code, seed, length) => {
      const digits = code + String(seed).padStart(10, '3').slice(0, length)
      if (digits.length <= defaultNumberPlan.shortDigitsMax) return
      const parsed = parsePhoneNumberFromString(`+${digits}`)
      const expected = parsed?.isValid() === true && parsed.number === `+${digits}`
      assert.equal(numbers.read(`+${digits}`).valid, expected, digits)
      // The neighbours of the same range come from memory.
      for (const tail of ['000', '555', '999']) {
        const near = digits.slice(0, -3) + tail
        const library = parsePhoneNumberFromString(`+${near}`)
        assert.equal(numbers.read(`+${near}`).valid, library?.isValid() === true && library.number === `+${near}`, near)
      }
    })
    fc.assert(property, { numRuns: 1000 })
  })

  it('national numbers from memory keep their own last digits', () => {
    const numbers = reader({ country: 'GB', bare: 'national' })
    for (const tail of ['100', '101', '999']) {
      assert.equal(numbers.read(`02079460${tail}`).digits, `442079460${tail}`)
    }
  })
})

it('the dialled part is taken out of addresses', () => {
  assert.equal(userPart('<sip:200@pbx.example;transport=udp>'), '200')
  assert.equal(userPart('tel:+12025550123;ext=7'), '+12025550123')
  assert.equal(userPart('  200 '), '200')
})
