import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  type AuditEntry,
  ChainCheck,
  type ChainHead,
  type ChainLink,
  linkTo,
  newChain,
} from '../../src/storage/audit-chain.ts'

const startMs = Date.UTC(2026, 0, 1)

function entry(n: number): AuditEntry {
  const who = {
    actor: `key:${n}`,
    role: 'admin',
    subject: 'GET /v1/keys',
    result: 'ok',
    remote: '192.0.2.1',
    detail: '',
  }
  return { at: startMs + n * 1000, action: 'x', ...who }
}

interface Row {
  link: ChainLink
  entry: AuditEntry
}

function chain(rows: number): { rows: Row[]; head: ChainHead } {
  let head = newChain('writer', startMs)
  const out: Row[] = []
  for (let n = 1; n <= rows; n++) {
    const link = linkTo(head, entry(n))
    out.push({ link, entry: entry(n) })
    head = link
  }
  return { rows: out, head }
}

function check(rows: readonly Row[], head: ChainHead | null, keptSinceMs = 0) {
  const checked = new ChainCheck({ keptSinceMs })
  for (const row of rows) checked.push(row.link, row.entry)
  const { problems, trimmed } = checked.report(head)
  return { problems: problems.map(({ kind, fromSeq, toSeq }) => [kind, fromSeq, toSeq]), trimmed }
}

describe('the chain of audit rows', () => {
  it('holds as it was written', () => {
    const { rows, head } = chain(50)
    assert.deepEqual(check(rows, head), { problems: [], trimmed: [] })
  })

  it('has the hashes that its description says', () => {
    // printf of the JSON text through sha256sum, by hand.
    const { rows } = chain(1)
    assert.equal(rows[0]?.link.chain, 'writer-mjuohs00')
    assert.equal(rows[0]?.link.prevHash, 'a4e24fb8f3cd97340d16abbd8d3f7463454a5b7deb6c0176ef0b744d561e9375')
    assert.equal(rows[0]?.link.hash, '9532a32f19257759c2425f096cd66113cae5c2a19a8ea8b5da2366ab2ae46487')
  })

  it('says where a row was changed, whichever column it was', () => {
    for (const column of ['actor', 'role', 'action', 'subject', 'result', 'remote', 'detail'] as const) {
      const { rows, head } = chain(9)
      const row = rows[4] as Row
      row.entry = { ...row.entry, [column]: 'somebody else' }
      assert.deepEqual(check(rows, head).problems, [['changed', 5, 5]], column)
    }
    const { rows, head } = chain(9)
    const row = rows[4] as Row
    row.entry = { ...row.entry, at: row.entry.at + 1 }
    assert.deepEqual(check(rows, head).problems, [['changed', 5, 5]])
  })

  it('says where a row was changed and hashed again', () => {
    const { rows, head } = chain(9)
    const forged = { ...entry(5), actor: 'nobody' }
    rows[4] = { link: linkTo(rows[3]?.link as ChainHead, forged), entry: forged }
    assert.deepEqual(check(rows, head).problems, [['changed', 5, 6]])
  })

  it('knows by its head when all rows from one on were hashed again', () => {
    const { rows, head } = chain(9)
    let last = rows[3]?.link as ChainHead
    for (let at = 4; at < 9; at++) {
      const forged = { ...entry(at + 1), actor: 'nobody' }
      const link = linkTo(last, forged)
      rows[at] = { link, entry: forged }
      last = link
    }
    assert.deepEqual(check(rows, null).problems, [])
    assert.deepEqual(check(rows, head).problems, [['changed', 9, 9]])
  })

  it('says which rows were removed, in the middle, at the beginning, at the end', () => {
    const { rows, head } = chain(9)
    assert.deepEqual(check([...rows.slice(0, 3), ...rows.slice(5)], head).problems, [['removed', 4, 5]])
    assert.deepEqual(check(rows.slice(2), head).problems, [['removed', 1, 2]])
    assert.deepEqual(check(rows.slice(0, 7), head).problems, [['removed', 8, 9]])
    assert.deepEqual(check([], head).problems, [['removed', 1, 9]])
  })

  it('says where a row was inserted', () => {
    const { rows, head } = chain(9)
    const twice = [...rows.slice(0, 5), rows[4] as Row, ...rows.slice(5)]
    assert.deepEqual(check(twice, head).problems, [['inserted', 5, 5]])
    const link = linkTo(head, entry(10))
    assert.deepEqual(check([...rows, { link, entry: entry(10) }], head).problems, [['inserted', 10, 10]])
    const checked = new ChainCheck({ keptSinceMs: 0 })
    checked.pushUnchained(entry(3), startMs)
    checked.pushUnchained({ ...entry(3), at: startMs - 1 }, startMs)
    assert.deepEqual(
      checked.report(null).problems.map(({ kind, fromSeq }) => [kind, fromSeq]),
      [['inserted', 0]],
    )
  })

  it('takes a beginning that is older than what is kept as gone by right', () => {
    const { rows, head } = chain(9)
    const kept = check(rows.slice(4), head, startMs + 5000)
    assert.deepEqual(kept, { problems: [], trimmed: [{ chain: rows[0]?.link.chain, toSeq: 4 }] })
  })
})
