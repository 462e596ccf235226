/** A number is forgotten in tables and in entries of the log, and its neighbours are not. Over the real engine. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { packChunk, unpackChunk } from '../../src/log/row-chunks.ts'
import { scrubEntry } from '../../src/storage/entry-scrub.ts'
import { migrate } from '../../src/storage/migrations.ts'
import { encodeRow } from '../../src/storage/row-encoding.ts'
import type { Store } from '../../src/storage/store.ts'
import { TableErasure, type TableFinding } from '../../src/storage/table-erasure.ts'
import { columnsOf, columnTypesOf, type RowValues, rowOf, type TableName } from '../../src/storage/tables.ts'
import { isProblem, parseCdr } from '../../src/wire/cdr-record.ts'
import { cdrColumnNames, cdrColumns, encodeCdrRow } from '../../src/wire/cdr-row.ts'
import { NumberSpellings } from '../../src/wire/number-spellings.ts'
import { scratchStore } from '../fakes/scratch.ts'

const noonMs = Date.UTC(2026, 2, 1, 12)
const erased = '12025550123'
const neighbour = '12025550124'
const spellings = new NumberSpellings(erased)

function cdrLine(id: string, over: object): string {
  const numbers = { from: neighbour, fromRaw: `+${neighbour}`, to: '442079460123', toRaw: '020 7946 0123' }
  const record = parseCdr({ id, callId: id, startUs: noonMs * 1000, answerUs: null, ...numbers, ...over }, 'pbx')
  if (isProblem(record)) throw new Error(record.detail)
  return encodeCdrRow(record, noonMs, false)
}

const cdrLines = [
  cdrLine('a', { from: erased, fromRaw: '(202) 555-0123', attributes: { uri: 'sip:2025550123@10.0.0.1', note: 'x' } }),
  cdrLine('b', { to: erased, toRaw: '0012025550123' }),
  cdrLine('c', { attributes: { p_asserted: '<tel:+1-202-555-0123>', other: '2025550123' } }),
  cdrLine('d', { attributes: { p_asserted: `<tel:+${neighbour}>` } }),
  cdrLine(`e-${erased}`, {}),
]

const endings: (() => Promise<void> | void)[] = []
let store: Store
let findings: TableFinding[] = []

async function write<T extends TableName>(table: T, values: RowValues<T>): Promise<void> {
  const row = encodeRow(columnsOf(table), columnTypesOf(table), rowOf(table, values))
  await store.insert(table, columnsOf(table), Buffer.from(row), `${table}:${row.length}:${row}`)
}

function caseOf(id: string, subject: string): RowValues<'cases'> {
  const times = { first_seen_at: noonMs, opened_at: noonMs, last_seen_at: noonMs, decided_at: 0 }
  const said = { merged_into: '', absorbed: 0, decided_by: '', note: `called from +${subject}`, version: 1 }
  const facts = { kind: 'wangiri', subject_type: 'number', subject_value: subject, state: 'open', verdict: '' }
  return {
    id,
    ...facts,
    score: 1,
    severity: 1,
    calls: 3,
    reasons_json: '[]',
    evidence_json: '[]',
    features_json: '{}',
    ...times,
    ...said,
  }
}

before(async () => {
  const scratch = await scratchStore({ after: (fn: () => Promise<void> | void) => void endings.push(fn) })
  store = scratch.store
  await migrate(store, 0)
  await store.insert('cdrs', cdrColumns, Buffer.from(cdrLines.join('')), 'cdrs')
  await write('cases', caseOf('1', erased))
  await write('cases', caseOf('2', neighbour))
  for (const detail of [`to: ${erased} is no number`, `to: ${neighbour} is no number`]) {
    await write('source_quality_examples', { at: noonMs, source: 'pbx', defect: 'x', record: 'r', detail })
  }
  const erasure = new TableErasure({ store, database: 'voicefw_test', clock: systemClock })
  findings = await erasure.erase(spellings)
})
after(async () => {
  for (const ending of endings.reverse()) await ending()
})

const cdrsAsked =
  'SELECT id, from_number, from_raw, from_valid, to_number, to_raw, to_valid, attributes FROM cdrs ORDER BY id'

describe('tables that a number is erased from', () => {
  it('hold it in no row, and say how many held it', () => {
    const found = findings.filter(({ rowsBefore }) => rowsBefore > 0)
    assert.deepEqual(found, [
      { table: 'cases', rowsBefore: 1, rowsAfter: 0 },
      { table: 'cdrs', rowsBefore: 4, rowsAfter: 0 },
      { table: 'source_quality_examples', rowsBefore: 1, rowsAfter: 0 },
    ])
    assert.equal(
      findings.some(({ table }) => table === 'audit'),
      true,
      'the audit is searched too',
    )
  })

  it('keep call records for the other party; one whose key holds the number is deleted', async () => {
    const rows = await store.query(cdrsAsked, {})
    const other = { from_number: neighbour, from_raw: `+${neighbour}`, from_valid: 1 }
    const called = { to_number: '442079460123', to_raw: '020 7946 0123', to_valid: 1 }
    assert.deepEqual(rows, [
      {
        id: 'a',
        from_number: '',
        from_raw: 'erased',
        from_valid: 0,
        ...called,
        attributes: { uri: 'sip:erased@10.0.0.1', note: 'x' },
      },
      { id: 'b', ...other, to_number: '', to_raw: 'erased', to_valid: 0, attributes: {} },
      { id: 'c', ...other, ...called, attributes: { p_asserted: '<tel:erased>', other: '2025550123' } },
      { id: 'd', ...other, ...called, attributes: { p_asserted: `<tel:+${neighbour}>` } },
    ])
  })

  it('keep cases without their subject, and cases of others whole', async () => {
    const rows = await store.query('SELECT id, subject_value, note FROM cases FINAL ORDER BY id', {})
    assert.deepEqual(rows, [
      { id: '1', subject_value: 'erased', note: 'called from erased' },
      { id: '2', subject_value: neighbour, note: `called from +${neighbour}` },
    ])
  })
})

describe('entries of the log', () => {
  it('are changed as the table is', async () => {
    const entry = scrubEntry('cdr', packChunk(cdrColumnNames, cdrLines.slice(0, 4)), spellings)
    assert.ok(entry)
    const lines = Buffer.from(unpackChunk(entry)?.lines ?? [])
      .toString()
      .split('\n')
      .slice(0, -1)
    const asked = ['id', 'from_number', 'from_raw', 'from_valid', 'to_number', 'to_raw', 'to_valid', 'attributes']
    const rows = lines.map((line) => {
      const values = JSON.parse(line) as unknown[]
      return Object.fromEntries(asked.map((name) => [name, values[cdrColumns.indexOf(name as 'id')]]))
    })
    assert.deepEqual(rows, await store.query(cdrsAsked, {}))
  })

  it('of JSON lose it; those that do not hold it, and the audit, stay as they are', () => {
    const notice = Buffer.from(JSON.stringify({ notice: { id: 'evt_1', data: { from: `+${erased}`, to: neighbour } } }))
    const scrubbed = Buffer.from(scrubEntry('notices', notice, spellings) ?? []).toString()
    assert.equal(scrubbed, `{"notice":{"id":"evt_1","data":{"from":"erased","to":"${neighbour}"}}}`)
    assert.equal(scrubEntry('notices', Buffer.from(`{"to":"${neighbour}"}`), spellings), null)
    assert.equal(scrubEntry('audit', notice, spellings), null)
  })

  it('of rows that wait for others lose the national spelling too', () => {
    const row = [noonMs, 'pbx', { src: '2025550123', dst: neighbour, duration: 30 }, null, 0]
    const entry = packChunk('received_ms,source,fields,columns,bad_utf8', [`${JSON.stringify(row)}\n`])
    const chunk = unpackChunk(scrubEntry('cdr.held', entry, spellings) ?? new Uint8Array())
    const fields = { src: 'erased', dst: neighbour, duration: 30 }
    assert.deepEqual(JSON.parse(Buffer.from(chunk?.lines ?? []).toString()), [noonMs, 'pbx', fields, null, 0])
  })
})
