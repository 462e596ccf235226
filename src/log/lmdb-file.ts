/**
 * A look at an LMDB file before it is opened: lmdb 3.5 takes the process down (SIGSEGV, SIGBUS) when the file is no
 * database or has lost its tail, so that is found out here. The layout is the pinned version's own; the tests of the
 * durable log fail should another one change it. Pure but for reading the file, main thread, at start.
 *
 *   page 0 and page 1, both meta pages (24 bytes of page header, then):
 *     24 magic u32 = 0xBEEFC0DE | 28 version u32 = 2 | ... | 48 page size u32 | ... | 144 last page u64 | 152 txn u64
 */
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs'

const magic = 0xbeefc0de
const version = 2
const metaBytes = 160

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
    return size < needed ? `cut short: ${size} bytes of ${needed}` : null
  } finally {
    closeSync(handle)
  }
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
