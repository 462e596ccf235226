/**
 * Scratch directories, and an embedded store in one. All of a process lie in one folder, which goes with the process,
 * whatever became of its tests; a killed process alone leaves its folder.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { silentLog } from '../../src/core/log.ts'
import { type Counters, zeroCounters } from '../../src/core/metrics.ts'
import { EmbeddedStore, type EmbeddedStoreOptions } from '../../src/storage/embedded-store.ts'

interface Ending {
  after(fn: () => Promise<void> | void): void
}

const removalMsMax = 3000
let ofThisProcess: string | undefined

/** Removed when the process ends: what many tests share, or what a server is started on again. */
export function lastingDirectory(): string {
  ofThisProcess ??= folderUntilExit()
  return mkdtempSync(`${ofThisProcess}/`)
}

/** Removed when the test ends. What still writes into it is closed by hooks that come after: the rest goes at exit. */
export function scratchDirectory(test: Ending | TestContext): string {
  const directory = lastingDirectory()
  test.after(() => {
    try {
      rmSync(directory, { recursive: true, force: true })
    } catch {
      // A hook that throws would keep those after it from running, and their servers from ending.
    }
  })
  return directory
}

function folderUntilExit(): string {
  const folder = mkdtempSync(`${tmpdir()}/voicefw-test-`)
  process.once('exit', () => removeBesideWriters(folder))
  return folder
}

/**
 * A child that was just killed, or its engine, may still write for a while; `maxRetries` of rmSync would only try again
 * to remove the folder, not what has come into it. What the tests found out stands, whatever comes of this.
 */
function removeBesideWriters(folder: string): void {
  const untilMs = performance.now() + removalMsMax
  for (;;) {
    try {
      rmSync(folder, { recursive: true, force: true })
      return
    } catch (thrown) {
      if (performance.now() > untilMs) {
        process.stderr.write(`left behind: ${String(thrown)}\n`)
        return
      }
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
  }
}

export interface ScratchStore {
  readonly store: EmbeddedStore
  readonly counters: Counters
  readonly dataDir: string
}

/** A started embedded engine on fresh data. */
export async function scratchStore(
  test: Ending | TestContext,
  options: Partial<EmbeddedStoreOptions> = {},
): Promise<ScratchStore> {
  const dataDir = options.dataDir ?? scratchDirectory(test)
  const counters = zeroCounters()
  const store = new EmbeddedStore({ ...embeddedDefaults(dataDir), counters, ...options })
  await store.start()
  test.after(() => store.close())
  return { store, counters, dataDir }
}

export function embeddedDefaults(dataDir: string): EmbeddedStoreOptions {
  return {
    dataDir,
    database: 'voicefw_test',
    memoryBytesMax: 1_073_741_824,
    requestTimeoutMs: 20_000,
    counters: zeroCounters(),
    log: silentLog,
  }
}

const walksMax = 50

/** Files below a folder that a server works in: its ClickHouse may remove a folder while they are listed. */
export function filesBelow(directory: string): string[] {
  for (let walk = 1; ; walk++) {
    try {
      const entries = readdirSync(directory, { recursive: true, withFileTypes: true })
      return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT' || walk === walksMax) throw thrown
    }
  }
}

/** Polls until true; fails the test after `timeoutMs`. */
export async function eventually(condition: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const until = performance.now() + timeoutMs
  while (!(await condition())) {
    if (performance.now() > until) throw new Error('condition not met in time')
    await new Promise((done) => setTimeout(done, 10))
  }
}
