/**
 * Files that are replaced as a whole: a reader sees the old one or the new one, and after a crash too. Mode 0600 from
 * the first byte, unless another is asked for. And whether such a file was replaced since. Any thread.
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** @throws Error of the disk; the old file stands then */
export function writeWholeFile(path: string, text: string, mode = 0o600): void {
  const draft = `${path}.${process.pid}.draft`
  rmSync(draft, { force: true })
  try {
    writeDraft(draft, text, mode)
    renameSync(draft, path)
  } catch (thrown) {
    rmSync(draft, { force: true })
    throw thrown
  }
  // The rename itself is durable once the folder is.
  const folder = openSync(dirname(path), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

function writeDraft(path: string, text: string, mode: number): void {
  const file = openSync(path, 'wx', mode)
  try {
    // Not writeSync, which writes as much as fits and calls that a success.
    writeFileSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Changes with every replacement: a rename brings a new inode, even within one tick of the file system's clock. */
export function stampOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat === undefined ? 'absent' : `${stat.ino} ${stat.size} ${stat.mtimeMs}`
}
