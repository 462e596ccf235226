import assert from 'node:assert/strict'
import { test } from 'node:test'
import { permits, roles } from '../../src/access/roles.ts'

test('viewer < operator < admin, and ingest stands apart in both directions', () => {
  const allowed = roles.flatMap((held) => roles.filter((needed) => permits(held, needed)).map((n) => `${held}>${n}`))
  assert.deepEqual(allowed.sort(), [
    'admin>admin',
    'admin>operator',
    'admin>viewer',
    'ingest>ingest',
    'operator>operator',
    'operator>viewer',
    'viewer>viewer',
  ])
})
