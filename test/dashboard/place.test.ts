import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { placeOf } from '../../src/dashboard/place.ts'

describe('the address', () => {
  it('names the page and what it is about; filters do not change the page', () => {
    assert.deepEqual(placeOf('#/fraud?kind=irsf'), { page: 'fraud' })
    assert.deepEqual(placeOf('#/fraud/c_1-a'), { page: 'case', id: 'c_1-a' })
    assert.deepEqual(placeOf('#/numbers/+12025550123'), { page: 'number', id: '+12025550123' })
    const token = '1202555~fk3j7x2mbq7tz5ah'
    assert.deepEqual(placeOf(`#/numbers/${encodeURIComponent(token)}`), { page: 'number', id: token })
    assert.deepEqual(placeOf('#/calls/CA5f0c'), { page: 'call', id: 'CA5f0c' })
    assert.deepEqual(placeOf('#/traffic?span=7d'), { page: 'traffic' })
    assert.deepEqual(placeOf('#/models'), { page: 'models' })
  })

  it('that nobody knows is the list of calls', () => {
    for (const hash of ['', '#/', '#/nowhere', '#/fraud/../../x', '#/numbers/']) {
      assert.deepEqual(placeOf(hash), { page: 'calls' }, hash)
    }
  })
})
