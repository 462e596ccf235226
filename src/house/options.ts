/** What the house is built from. Main thread. */
import { randomBytes } from 'node:crypto'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import type { Log } from '../core/log.ts'

export interface FirewallOptions {
  readonly config: Config
  readonly log: Log
  readonly clock: Clock
  /** Told the admin key that was made at a first start on loopback; nobody else is. */
  readonly adminKeyMade?: (key: string) => void
  /** For tests: lets the pool's workers be told to throw or hang. */
  readonly faults?: boolean
}

export const random = (bytes: number): Buffer => randomBytes(bytes)
