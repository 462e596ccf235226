import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { FraudDetector } from '../../src/decisions/fraud-detector.ts'
import { feature, featureCount } from '../../src/features/call-features.ts'
import { CallFeatureDump, lookColumns } from '../../src/training/dump-call-features.ts'
import { call } from '../fakes/call-events.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

const cdr = loadConfig({ file: undefined, env: {} }).cdr

/** The same calls for both: a campaign on one trunk, a company's phones on another. */
function* calls() {
  for (let n = 0; n < 300; n++) {
    const from = `4477009${String((n * 37) % 1000).padStart(5, '0')}`
    yield call({ from, to: `491511${2_000_000 + n * 7919}`, atS: n, ringS: 2, route: 'trunk-f' })
    const own = `3123456${String(n % 300).padStart(4, '0')}`
    yield call({ from: own, to: `49170${3_000_000 + n * 31}`, atS: n + 0.5, ringS: 3, route: 'trunk-n' })
  }
}

describe('the dump of call features', () => {
  it('is equal to the last bit to what a model is asked of the same calls live', async (t) => {
    const path = join(scratchDirectory(t), 'rows', 'same.f32')
    const dump = new CallFeatureDump(path, cdr)
    const live: string[] = []
    const bitsOf = (row: Float32Array): string => Buffer.from(row.slice().buffer).toString('base64')
    const detector = new FraudDetector({
      config: cdr,
      newCaseId: () => 'live',
      onCase: () => undefined,
      scorer: {
        // A trained model that calls nothing a flash call.
        trained: { scoreMin: 2 },
        scores: async (features, count) => {
          for (let row = 0; row < count; row++)
            live.push(bitsOf(features.subarray(row * featureCount, (row + 1) * featureCount)))
          return new Float32Array(count)
        },
      },
    })
    for (const record of calls()) {
      dump.call(record, false)
      detector.record(record)
      await detector.advance()
    }
    await detector.flush()
    await dump.finish()
    const bytes = readFileSync(path)
    const rows = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
    const width = featureCount + lookColumns.length
    const dumped = Array.from({ length: rows.length / width }, (_, row) =>
      bitsOf(rows.subarray(row * width, row * width + featureCount)),
    )
    assert.ok(live.length > 100, `${live.length} rows`)
    assert.deepEqual(live, dumped)
  })

  it('writes a row for every window that a model is asked about, with what is true of it', async (t) => {
    const path = join(scratchDirectory(t), 'rows', 'one.f32')
    const dump = new CallFeatureDump(path, cdr)
    for (let n = 0; n < 300; n++) {
      const from = `4477009${String((n * 37) % 1000).padStart(5, '0')}`
      dump.call(call({ from, to: `491511${2_000_000 + n * 7919}`, atS: n, ringS: 2, route: 'trunk-f' }), true)
      // A company's phones that are given up as quickly, on a route of their own.
      const own = `3123456${String(n % 300).padStart(4, '0')}`
      dump.call(call({ from: own, to: `49170${3_000_000 + n * 31}`, atS: n + 0.5, ringS: 3, route: 'trunk-n' }), false)
    }
    await dump.advance()
    const counts = await dump.finish()
    const bytes = readFileSync(path)
    const rows = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
    const width = featureCount + lookColumns.length
    assert.equal(rows.length, counts.looks * width)
    assert.deepEqual([counts.calls, counts.campaignCalls], [600, 300])
    const labels = new Set<number>()
    let campaigns = 0
    for (let at = 0; at < rows.length; at += width) {
      const label = rows[at + featureCount]!
      labels.add(label)
      if (label === 1) campaigns++
      assert.ok(rows[at + feature.keyKind]! >= 1 && rows[at + feature.windowLevel]! >= 1)
      assert.ok(rows[at + feature.distinctAShare]! >= 0, 'the distinct shares are filled in')
    }
    assert.ok(labels.has(0) && labels.has(1))
    assert.equal(campaigns, counts.campaignLooks)
  })
})
