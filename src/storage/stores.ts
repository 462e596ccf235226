/**
 * Which store the configuration asks for: a ClickHouse server when `storage.url` is set, else the embedded engine.
 */
import type { Config } from '../config/schema.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import { EmbeddedStore } from './embedded-store.ts'
import { ServerStore } from './server-store.ts'
import type { DumpStore, SqlStore, Store } from './store.ts'

export function createStore(
  config: Pick<Config, 'dataDir' | 'storage'>,
  rooms: { readonly counters: Pick<Counters, 'storeChildRestarts'>; readonly log: Log },
): Store & SqlStore & DumpStore {
  const { url, username, password, database, embedded, requestTimeoutMs } = config.storage
  if (url !== null) return new ServerStore({ url, username, password, database, requestTimeoutMs })
  const { memoryBytesMax } = embedded
  return new EmbeddedStore({ dataDir: config.dataDir, database, memoryBytesMax, requestTimeoutMs, ...rooms })
}
