/** Scratch directories, and an embedded store in one. Removed when the test that asked for them ends. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import type { TestContext } from 'node:test'
import { silentLog } from '../../src/core/log.ts'
import { type Counters, zeroCounters } from '../../src/core/metrics.ts'
import { EmbeddedStore, type EmbeddedStoreOptions } from '../../src/storage/embedded-store.ts'

interface Ending {
  after(fn: () => Promise<void> | void): void
}

export function scratchDirectory(test: Ending | TestContext): string {
  const directory = mkdtempSync(`${tmpdir()}/voicefw-test-`)
  test.after(() => rmSync(directory, { recursive: true, force: true }))
  return directory
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

/** Polls until true; fails the test after `timeoutMs`. */
export async function eventually(condition: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const until = performance.now() + timeoutMs
  while (!(await condition())) {
    if (performance.now() > until) throw new Error('condition not met in time')
    await new Promise((done) => setTimeout(done, 10))
  }
}
