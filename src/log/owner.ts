/**
 * One process per spool: LMDB itself would let two in, and both would count sequence numbers of their own. The owner
 * leaves its process id and start time in a file; a file whose process is gone (also after kill -9) is taken over.
 * Main thread, at start and end.
 *
 * Example content of `owner`:
 *   4711 893214
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { OperatingError } from '../core/errors.ts'

/** @throws OperatingError config_invalid when another living process owns the directory. */
export function takeOwnership(directory: string): void {
  const file = `${directory}/owner`
  for (let attempt = 0; ; attempt += 1) {
    try {
      writeFileSync(file, `${process.pid} ${startOf(process.pid)}\n`, { flag: 'wx', mode: 0o600 })
      return
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST' || attempt >= 3) throw thrown
    }
    const owner = livingOwner(file)
    if (owner !== null && owner !== process.pid) {
      throw new OperatingError(
        'config_invalid',
        `${directory} is in use by process ${owner}; stop it, or give this one a dataDir of its own`,
      )
    }
    rmSync(file, { force: true })
  }
}

/** Process that owns the directory and lives; null: nobody. */
export function ownerOf(directory: string): number | null {
  return livingOwner(`${directory}/owner`)
}

export function releaseOwnership(directory: string): void {
  rmSync(`${directory}/owner`, { force: true })
}

function livingOwner(file: string): number | null {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return null
  }
  const [pid, start] = text.trim().split(' ')
  const known = startOf(Number(pid))
  return known !== '' && known === start ? Number(pid) : null
}

/** Start time of a process in clock ticks since boot (/proc/PID/stat, field 22); empty when it is gone or a zombie. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command stands in parentheses and may hold anything; fields 3 (state) and on follow the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? '' : (fields[19] ?? '')
  } catch {
    return ''
  }
}
