/** What the audit is told of other people's queries. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Identity } from '../../src/access/authenticate.ts'
import { Audit, type AuditRow } from '../../src/api/audit.ts'
import { SqlResource } from '../../src/api/sql.ts'
import { ManualClock } from '../../src/core/clock.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import { NumberSpellings } from '../../src/wire/number-spellings.ts'
import { request } from '../fakes/people.ts'

const who = { actor: 'key:1 desk', keyId: '1', via: 'bearer', expiresAtMs: null } as const
const analyst: Identity = { ...who, role: 'viewer', scopes: ['sql'] }

async function toldOf(query: string): Promise<string> {
  const rows: AuditRow[] = []
  const audit = new Audit({ write: (row) => void rows.push(row), clock: new ManualClock() })
  const ask = async () => ({ bytes: Buffer.from('1\n'), format: 'TabSeparated', mediaType: 'text/plain' })
  const sql = new SqlResource({ door: { ask }, database: 'voicefw', audit, counters: zeroCounters() })
  await sql.answer(request('/v1/sql', { method: 'POST', body: Buffer.from(query) }), analyst)
  return rows.map(({ detail }) => detail).join()
}

describe('a query in the audit', () => {
  it('has no phone number, however it is spelled: the audit is never changed, so none could be erased', async () => {
    const spellings = new NumberSpellings('12025550123')
    for (const number of [
      '12025550123',
      '+12025550123',
      '+1 (202) 555-0123',
      '1-202-555-0123',
      '1 - 202 - 555 - 0123',
    ]) {
      const told = await toldOf(`SELECT count() FROM cdrs WHERE from_raw LIKE '%${number}%'`)
      assert.ok(!spellings.holds(told), told)
      assert.match(told, /^SELECT count\(\) FROM cdrs WHERE from_raw LIKE '%\+?\*\*\*%'$/)
    }
  })

  it('keeps its dates, times and limits', async () => {
    const query = "SELECT * FROM calls WHERE started_at >= '2026-01-01 10:00:00' AND score > 0.95 LIMIT 100"
    assert.equal(await toldOf(query), query)
  })
})
