import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { VendorGate } from '../../src/opinions/vendor-gate.ts'

const hour = 3_600_000
const failure = (reason: 'unavailable' | 'payment' | 'rate', afterMs: number | null = null) => ({ reason, afterMs })

describe('vendor gate', () => {
  it('lets through so many an hour, a sliding one', () => {
    const gate = new VendorGate(2)
    assert.deepEqual([gate.admit(0), gate.admit(1000), gate.admit(2000)], [true, true, false])
    assert.deepEqual([gate.admit(hour - 1), gate.admit(hour), gate.admit(hour + 1)], [false, true, false])
    assert.equal(gate.left(hour + 1), 0)
  })

  it('opens after three failures for a minute, then lets one trial through, and opens longer when it fails', () => {
    const gate = new VendorGate(1000)
    for (let n = 0; n < 3; n++) {
      assert.equal(gate.admit(n), true)
      gate.failed(failure('unavailable'), n)
    }
    assert.equal(gate.admit(60_001), false)
    assert.deepEqual([gate.admit(60_002), gate.admit(60_003)], [true, false], 'one trial')
    gate.failed(failure('unavailable'), 60_002)
    assert.deepEqual([gate.admit(180_001), gate.admit(180_002)], [false, true])
    gate.succeeded()
    assert.equal(gate.admit(180_003), true)
  })

  it('opens at once, for an hour, when somebody has to pay or change the key', () => {
    const gate = new VendorGate(1000)
    gate.admit(0)
    gate.failed(failure('payment'), 0)
    assert.deepEqual([gate.admit(hour - 1), gate.admit(hour)], [false, true])
  })

  it('opens at once for as long as a vendor asks that we ask too often, an hour at most', () => {
    const gate = new VendorGate(1000)
    gate.admit(0)
    gate.failed(failure('rate', 300_000), 0)
    assert.deepEqual([gate.admit(299_999), gate.admit(300_000)], [false, true])
    gate.failed(failure('rate', 999 * hour), 300_000)
    assert.equal(gate.admit(300_000 + hour), true)
  })

  it('asks another trial when the trial was not needed any more', () => {
    const gate = new VendorGate(1000)
    gate.admit(0)
    gate.failed(failure('rate'), 0)
    assert.equal(gate.admit(60_000), true)
    gate.withdrawn()
    assert.equal(gate.admit(60_001), true)
  })
})
