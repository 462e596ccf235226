import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { dtmfHz, goertzel, goertzelCoefficients } from '../../src/audio/goertzel.ts'

describe('Goertzel', () => {
  it('gives (n a / 2)^2 at the frequency of a sine and little elsewhere', () => {
    for (const [index, hz] of dtmfHz.entries()) {
      const sine = Float32Array.from({ length: 800 }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hz * i) / 8000))
      const powers = goertzel(sine, goertzelCoefficients(8000))
      assert(Math.abs((powers[index] ?? 0) / 200 ** 2 - 1) < 0.01, `${hz} Hz: ${powers[index]}`)
      for (const [other, power] of powers.entries()) if (other !== index) assert(power < 0.01 * 200 ** 2)
    }
  })
})
