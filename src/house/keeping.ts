/** What keeps data and lets go of it: erasures, over everything that holds a number. Main thread. */
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import { Erasures, type LiveRooms, openLedger } from './erasures.ts'
import { Stillness } from './stillness.ts'
import type { Storage } from './storage.ts'

export interface Keeping {
  readonly erasures: Erasures
  /** Resolves when nothing is being erased. */
  over(): Promise<void>
}

export interface KeepingRooms extends LiveRooms {
  readonly config: Config
  readonly log: Log
  readonly clock: Clock
  readonly storage: Storage
}

/** @throws OperatingError config_invalid: the ledger of erasures is damaged */
export function openKeeping(rooms: KeepingRooms): Keeping {
  const { config, log, clock, storage } = rooms
  const stillness = new Stillness(storage)
  const ledger = openLedger(config.dataDir)
  const erasures = new Erasures({ config, log, clock, storage, stillness, ledger, live: rooms, vault: null })
  return { erasures, over: () => stillness.over() }
}
