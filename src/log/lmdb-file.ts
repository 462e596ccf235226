/**
 * A look at an LMDB file before it is opened: lmdb 3.5 takes the process down (SIGSEGV, SIGBUS) when the file is no
 * database or has lost its tail, so that is found out here. The layout is the pinned version's own; the tests of the
 * durable log fail should another one change it. Main thread, at start.
 *
 *   page 0 and page 1, both meta pages (24 bytes of page header, then):
 *     24 magic u32 = 0xBEEFC0DE | 28 version u32 = 2 | ... | 48 page size u32 | ... | 88 root of the free pages u64
 *     | ... | 144 last page u64 | 152 txn u64
 */
import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs'
import { dirname } from 'node:path'

const magic = 0xbeefc0de
const version = 2
const metaBytes = 160

/** Root of an empty tree. */
const noPage = 0xffff_ffff_ffff_ffffn
const probeMsMax = 60_000

/** Reads all there is and writes nothing, in a process of its own: a page behind the end takes it down (SIGBUS). */
const probe = `
const { open } = await import(process.argv[1])
const root = open({ path: process.argv[2], encoding: 'binary', maxDbs: 1000, readOnly: true })
for (const name of [...root.getKeys()]) {
  const database = root.openDB({ name, encoding: 'binary', keyEncoding: 'binary' })
  for (const { value } of database.getRange()) Buffer.from(value)
}
await root.close()`

/** What is wrong with the file, or null when it can be opened (or does not exist, or is empty: it is made then). */
export function damageOf(file: string): string | null {
  if (!existsSync(file)) return null
  const handle = openSync(file, 'r')
  try {
    const { size } = fstatSync(handle)
    if (size === 0) return null
    const first = metaAt(handle, 0)
    if (first === null) return 'no database: the first page is not LMDB’s'
    const second = metaAt(handle, first.pageBytes)
    if (second === null) return 'no database: the second page is not LMDB’s'
    const newest = first.transaction >= second.transaction ? first : second
    const needed = (newest.lastPage + 1) * newest.pageBytes
    if (size >= needed || isWholeUpTo(size, newest, file)) return null
    return `cut short: ${size} bytes of ${needed}`
  } finally {
    closeSync(handle)
  }
}

/**
 * Pages that a transaction took at the end of the file and let go again are never written, so a sound file may end
 * before its last page. Then nothing that is read lies behind its end: neither the list of free pages nor any entry.
 */
function isWholeUpTo(size: number, meta: Meta, file: string): boolean {
  const { pageBytes, freeRoot } = meta
  if (size % pageBytes !== 0 || (freeRoot !== noPage && freeRoot >= size / pageBytes)) return false
  const words = ['--input-type=module', '-e', probe, import.meta.resolve('lmdb'), dirname(file)]
  return spawnSync(process.execPath, words, { timeout: probeMsMax, stdio: 'ignore' }).status === 0
}

interface Meta {
  readonly pageBytes: number
  readonly freeRoot: bigint
  readonly lastPage: number
  readonly transaction: number
}

function metaAt(handle: number, position: number): Meta | null {
  const page = Buffer.alloc(metaBytes)
  if (readSync(handle, page, 0, metaBytes, position) < metaBytes) return null
  if (page.readUInt32LE(24) !== magic || page.readUInt32LE(28) !== version) return null
  const meta = {
    pageBytes: page.readUInt32LE(48),
    freeRoot: page.readBigUInt64LE(88),
    lastPage: Number(page.readBigUInt64LE(144)),
    transaction: Number(page.readBigUInt64LE(152)),
  }
  return meta.pageBytes >= 256 && meta.pageBytes <= 65_536 ? meta : null
}
