/**
 * Files that are replaced as a whole: a reader sees the old one or the new one, and after a crash too. Mode 0600 from
 * the first byte, unless another is asked for. Any thread.
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

export function writeWholeFile(path: string, text: string, mode = 0o600): void {
  const draft = `${path}.${process.pid}.draft`
  rmSync(draft, { force: true })
  const file = openSync(draft, 'wx', mode)
  try {
    writeSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(draft, path)
  // The rename itself is durable once the folder is.
  const folder = openSync(dirname(path), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
