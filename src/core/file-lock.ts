/**
 * A lock between processes: a file beside the one that is to be read, changed and replaced, so that the command line
 * may work beside a running server. Held for milliseconds; who waits blocks its thread. A lock that a dead process left
 * is taken over. Any thread.
 */
import { closeSync, openSync, rmSync, statSync } from 'node:fs'
import type { Clock } from './clock.ts'
import { OperatingError } from './errors.ts'

/** A lock older than this was left by a process that died. */
const lockStaleMs = 10_000
const lockWaitMs = 3000
const lockPollMs = 20

/** @param what for people: `the keys` @throws OperatingError `config_invalid` when others hold it too long */
export function withFileLock<T>(path: string, what: string, clock: Clock, work: () => T): T {
  const lock = `${path}.lock`
  takeLock(lock, what, clock)
  try {
    return work()
  } finally {
    rmSync(lock, { force: true })
  }
}

function takeLock(path: string, what: string, clock: Clock): void {
  const sinceMs = clock.steadyMs()
  const sleeper = new Int32Array(new SharedArrayBuffer(4))
  for (let tries = 0; tries < lockWaitMs / lockPollMs; tries++) {
    try {
      closeSync(openSync(path, 'wx', 0o600))
      return
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown
    }
    const stat = statSync(path, { throwIfNoEntry: false })
    if (stat !== undefined && clock.wallMs() - stat.mtimeMs > lockStaleMs) rmSync(path, { force: true })
    else Atomics.wait(sleeper, 0, 0, lockPollMs)
    if (clock.steadyMs() - sinceMs > lockWaitMs) break
  }
  throw new OperatingError('config_invalid', `another process is changing ${what}; if none is, remove ${path}`)
}
