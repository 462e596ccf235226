/** What keeps data and lets go of it: erasures, over everything that holds a number. Main thread. */
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'
import { Backups } from './backups.ts'
import { Erasures, type LiveRooms, openLedger } from './erasures.ts'
import { keepExpiring } from './expiry.ts'
import { Stillness } from './stillness.ts'
import type { Storage } from './storage.ts'

export interface Keeping {
  readonly erasures: Erasures
  readonly backups: Backups
  /** Nothing is let go of any more; resolves when nothing is being erased or backed up. */
  over(): Promise<void>
}

/** What keeping data needs of the house. */
export interface KeepingRooms {
  readonly config: Config
  readonly log: Log
  readonly clock: Clock
  readonly storage: Storage
  /** Null: no server runs. */
  readonly live: LiveRooms | null
}

/** @throws OperatingError config_invalid: the ledger of erasures is damaged */
export function openKeeping(rooms: KeepingRooms): Keeping {
  const { config, log, clock, storage, live } = rooms
  const stillness = new Stillness(storage)
  const ledger = openLedger(config.dataDir)
  const erasures = new Erasures({ config, log, clock, storage, stillness, ledger, live })
  const stopExpiring = live === null ? () => {} : keepExpiring({ ...rooms, ...live, book: live.fraud.book })
  const backups = new Backups({ config, log, clock, storage, stillness, ledger })
  return {
    erasures,
    backups,
    async over() {
      stopExpiring()
      await stillness.over()
    },
  }
}
