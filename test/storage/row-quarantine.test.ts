/** Rows that no table takes. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { type LogFields, silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { RowQuarantine } from '../../src/storage/row-quarantine.ts'
import { scratchDirectory } from '../fakes/scratch.ts'

it('a quarantined row is whole in its file, and the log line about it has no phone number', (t) => {
  const file = `${scratchDirectory(t)}/quarantine.ndjson`
  const told: LogFields[] = []
  const log = { ...silentLog, error: (_: string, fields: LogFields = {}) => void told.push(fields) }
  const quarantine = new RowQuarantine({ file, bytesMax: 10_000, counters: zeroCounters(), log })
  const words = "Code: 27. DB::Exception: Cannot parse input: expected ',' before: "
  const why = `${words}'12025550123","+1 202 555 0123"' (at row 1)`
  quarantine.put('cdrs', '1f2e-44/cdrs/17-18', why, '["12025550123"]')
  assert.equal(told[0]?.['why'], `${words}'***","***"' (at row 1)`)
  assert.match(readFileSync(file, 'utf8'), /\[\\"12025550123\\"\]/)
})
