import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { ScoredHop } from '../../src/inference/scored-hop.ts'
import { hopStride, readHop, writeHop } from '../../src/worker/protocol.ts'

describe('the worker protocol', () => {
  it('carries every field of a hop as one row of doubles, not scored included', () => {
    const number = fc.double({ noDefaultInfinity: true })
    const signals = {
      comparedPhrases: fc.nat(),
      repeatedPhrases: fc.nat(),
      phraseLikenessMax: number,
      phraseStartMs: number,
      phraseEndMs: number,
      pauses: fc.nat(),
      pauseFloorDbfs: number,
      pauseFloorSpreadDb: number,
      pauseFloorJumpDb: number,
      digitalSilenceShare: number,
    }
    const fields = {
      trackId: fc.nat(),
      windowStartMs: number,
      hopStartMs: number,
      hopEndMs: number,
      hopSpeechMs: number,
      windowSpeechMs: number,
      llr: number,
      flags: fc.nat(63),
      filledMs: number,
      lostMs: number,
      duplicates: fc.nat(),
      enteredMs: number,
      lowFeatures: number,
      highFeatures: number,
      signals: fc.option(fc.record(signals, { noNullPrototype: true }), { nil: undefined }),
    }
    const hop: fc.Arbitrary<ScoredHop> = fc.record(fields, { noNullPrototype: true })
    fc.assert(
      fc.property(fc.array(hop, { minLength: 1, maxLength: 5 }), (hops) => {
        const rows = new Float64Array(hops.length * hopStride)
        for (const [n, each] of hops.entries()) writeHop(rows, n, each)
        assert.deepEqual(
          hops.map((_, n) => readHop(rows, n)),
          hops,
        )
      }),
    )
  })
})
