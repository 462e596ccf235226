/**
 * A look at an LMDB file before it is opened: lmdb 3.5 takes the process down (SIGSEGV, SIGBUS) when the file is no
 * database or has lost its tail, so that is found out here. The layout is the pinned version's own; the tests of the
 * durable log fail should another one change it. Main thread, at start.
 *
 *   page 0 and page 1, both meta pages (24 bytes of page header, then):
 *     24 magic u32 = 0xBEEFC0DE | 28 version u32 = 2 | ... | 48 page size u32 | ... | 144 last page u64 | 152 txn u64
 */
import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

const magic = 0xbeefc0de
const version = 2
const metaBytes = 160

/** Stands where a file ends too early. As the flags of a page it is neither branch nor leaf: LMDB refuses it. */
const missingByte = 0xa4
const probeMsMax = 20_000
/** More than this is never taken and let go in one transaction here. */
const missingBytesMax = 67_108_864

/** Reads all there is, in a process of its own: what is torn may take it down. */
const probe = `
const { open } = await import(process.argv[1])
const missing = Buffer.alloc(16, ${missingByte})
const root = open({ path: process.argv[2], encoding: 'binary', maxDbs: 1000, readOnly: true })
for (const name of [...root.getKeys()]) {
  const database = root.openDB({ name, encoding: 'binary', keyEncoding: 'binary' })
  for (const { value } of database.getRange()) if (Buffer.from(value).includes(missing)) throw new Error('missing')
}
await root.close()`

/** What is wrong with the file, or null when it can be opened (or does not exist, or is empty: it is made then). */
export function damageOf(file: string): string | null {
  if (!existsSync(file)) return null
  const handle = openSync(file, 'r+')
  try {
    const { size } = fstatSync(handle)
    if (size === 0) return null
    const first = metaAt(handle, 0)
    if (first === null) return 'no database: the first page is not LMDB’s'
    const second = metaAt(handle, first.pageBytes)
    if (second === null) return 'no database: the second page is not LMDB’s'
    const newest = first.transaction >= second.transaction ? first : second
    const needed = (newest.lastPage + 1) * newest.pageBytes
    if (size >= needed || isWholeWithout(file, handle, size, needed)) return null
    return `cut short: ${size} bytes of ${needed}`
  } finally {
    closeSync(handle)
  }
}

/**
 * Pages that a transaction took at the end of the file and let go again are never written, so a sound file may end
 * before its last page. Then nothing that is read lies behind its end; it is made as long as LMDB will map it. A file
 * that lacks more stays as it was.
 */
function isWholeWithout(file: string, handle: number, size: number, needed: number): boolean {
  if (needed - size > missingBytesMax) return false
  writeSync(handle, Buffer.alloc(needed - size, missingByte), 0, needed - size, size)
  const words = ['--input-type=module', '-e', probe, import.meta.resolve('lmdb'), dirname(file)]
  const { status } = spawnSync(process.execPath, words, { timeout: probeMsMax, stdio: 'ignore' })
  if (status !== 0) ftruncateSync(handle, size)
  return status === 0
}

interface Meta {
  readonly pageBytes: number
  readonly lastPage: number
  readonly transaction: number
}

function metaAt(handle: number, position: number): Meta | null {
  const page = Buffer.alloc(metaBytes)
  if (readSync(handle, page, 0, metaBytes, position) < metaBytes) return null
  if (page.readUInt32LE(24) !== magic || page.readUInt32LE(28) !== version) return null
  const meta = {
    pageBytes: page.readUInt32LE(48),
    lastPage: Number(page.readBigUInt64LE(144)),
    transaction: Number(page.readBigUInt64LE(152)),
  }
  return meta.pageBytes >= 256 && meta.pageBytes <= 65_536 ? meta : null
}
