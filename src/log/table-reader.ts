/**
 * Reads a durable map beside the process that owns it: LMDB lets readers of other processes look at the newest
 * committed state without waiting. Nothing is changed. Main thread, command line only.
 */
import { existsSync } from 'node:fs'
import { open } from 'lmdb'
import { damageOf } from './lmdb-file.ts'

/** Visits every entry of the table in the order of keys. @returns whether there is such a table */
export async function readTable(
  directory: string,
  name: string,
  visit: (key: string, value: Uint8Array) => void,
): Promise<boolean> {
  const path = `${directory}/log`
  if (!existsSync(`${path}/data.mdb`) || damageOf(`${path}/data.mdb`) !== null) return false
  const root = open<Uint8Array, number>({ path, encoding: 'binary', maxDbs: 64, readOnly: true })
  try {
    const entries = root.openDB<Uint8Array, string>({ name: `table.${name}`, encoding: 'binary' })
    if (entries === undefined) return false
    for (const { key, value } of entries.getRange({})) visit(key, value)
    return true
  } finally {
    await root.close()
  }
}
