/** Children of a process, read from /proc (Linux). */
import { readdirSync, readFileSync } from 'node:fs'

export function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === parent)
}

/**
 * Field 4 of /proc/<pid>/stat (proc(5)); the name in field 2 may hold spaces and is skipped by its last parenthesis.
 */
function parentOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return -1
  }
}
