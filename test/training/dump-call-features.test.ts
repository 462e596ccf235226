import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import type { FlashCallScorer } from '../../src/decisions/flash-call-rule.ts'
import { feature, featureCount } from '../../src/features/call-features.ts'
import { packChunk } from '../../src/log/row-chunks.ts'
import { CallFeatureDump, lookColumns } from '../../src/training/dump-call-features.ts'
import type { CdrRecord } from '../../src/wire/cdr-record.ts'
import { cdrColumnNames, encodeCdrRow } from '../../src/wire/cdr-row.ts'
import { FlashScoring } from '../../src/worker/flash-scoring.ts'
import { FraudLoop } from '../../src/worker/fraud-loop.ts'
import { call } from '../fakes/call-events.ts'
import { playTraffic } from '../fakes/cdr-run.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

const cdr = loadConfig({ file: undefined, env: {} }).cdr

function bitsOf(rows: Float32Array, at: number): string {
  return Buffer.from(rows.slice(at, at + featureCount).buffer).toString('hex')
}

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

  it('holds, to the last bit, what the live path asks its model about for the same calls', async (t) => {
    const calls = playTraffic({ attempts: 7000, seconds: 1200, prevalence: { flash_call: 0.25 } })
    const path = join(scratchDirectory(t), 'same.f32')
    const dump = new CallFeatureDump(path, cdr)
    for (const { record, truth } of calls) dump.call(record, truth.label === 'flash_call')
    await dump.finish()
    const asked: string[] = []
    let nowMs = 1_800_000_000_000
    const scorer: FlashCallScorer = {
      trained: { scoreMin: 0.5 },
      scores: async (rows, count) => {
        for (let row = 0; row < count; row++) asked.push(bitsOf(rows, row * featureCount))
        return new Float32Array(count)
      },
    }
    const loop = new FraudLoop({
      cdr,
      scorer: new FlashScoring({ name: 'all', scorer }, { cpuShareMax: 0, steadyMs: () => nowMs }),
      newCaseId: () => 'case',
      wallMs: () => nowMs,
      steadyMs: () => nowMs,
      beat: () => undefined,
    })
    loop.begin([], [])
    const take = (records: readonly CdrRecord[], toSeq: number) => {
      const lines = records.map((record) => encodeCdrRow(record, (record.endUs ?? record.startUs) / 1000, false))
      const bytes = packChunk(cdrColumnNames, lines)
      return loop.take({ bytes, ends: [bytes.length], toSeq, muted: false })
    }
    // As they come: in batches, through the bytes of the log.
    const batch = 500
    for (let at = 0; at < calls.length; at += batch) {
      await take(
        calls.slice(at, at + batch).map(({ record }) => record),
        at / batch + 1,
      )
    }
    nowMs += 60_000
    await take([], 100)
    const bytes = readFileSync(path)
    const rows = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
    const width = featureCount + lookColumns.length
    const dumped = Array.from({ length: rows.length / width }, (_, row) => bitsOf(rows, row * width))
    assert.ok(asked.length > 200, `${asked.length}`)
    // In the same order; what looks like a lure is dumped, and no model is asked.
    let at = -1
    for (const bits of asked) {
      at = dumped.indexOf(bits, at + 1)
      assert.ok(at >= 0, bits)
    }
    assert.ok(asked.length >= 0.9 * dumped.length, `${asked.length} of ${dumped.length}`)
  })
})
