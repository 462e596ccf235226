import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { feature, featureCount } from '../../src/features/call-features.ts'
import { CallFeatureDump, lookColumns } from '../../src/training/dump-call-features.ts'
import { call } from '../fakes/call-events.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

const cdr = loadConfig({ file: undefined, env: {} }).cdr

describe('the dump of call features', () => {
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
