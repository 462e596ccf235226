/**
 * What ClickHouse does not let go of by itself: cases that are over, dead letters, quarantined rows, each after the
 * days of the configuration. Looked at when the server starts and every hour. Main thread.
 */
import { readdirSync, rmSync, statSync } from 'node:fs'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { CaseBook } from '../decisions/case-book.ts'
import type { Notifier } from '../notify/notifier.ts'

export interface ExpiryRooms {
  readonly config: Config
  readonly clock: Clock
  readonly log: Log
  readonly book: Pick<CaseBook, 'expire'>
  readonly notifier: Pick<Notifier, 'expire'>
}

const dayMs = 86_400_000
const lookMs = 3_600_000

/** @returns the way to stop */
export function keepExpiring(rooms: ExpiryRooms): () => void {
  const look = (): void => {
    expire(rooms).catch((thrown: unknown) => {
      rooms.log.warn('what is too old is not gone yet', { reason: messageOf(thrown) })
    })
  }
  const timer = setInterval(look, lookMs).unref()
  look()
  return () => clearInterval(timer)
}

async function expire({ config, clock, log, book, notifier }: ExpiryRooms): Promise<void> {
  const { casesDays, deadLettersDays, quarantineDays } = config.retention
  const since = (days: number): number => clock.wallMs() - days * dayMs
  const cases = await book.expire(since(casesDays))
  const letters = await notifier.expire(since(deadLettersDays))
  const files = expireQuarantine(config.dataDir, since(quarantineDays))
  if (cases + letters + files > 0)
    log.info('too old, let go of', { cases, dead_letters: letters, quarantine_files: files })
}

/** By the last row that was put there. */
function expireQuarantine(dataDir: string, sinceMs: number): number {
  const spool = `${dataDir}/spool`
  const found = [
    ...readdirSync(dataDir)
      .filter((name) => /^quarantine.*\.ndjson$/.test(name))
      .map((name) => `${dataDir}/${name}`),
    ...readdirSync(spool)
      .filter((name) => /^(quarantine-|log\.damaged-)/.test(name))
      .map((name) => `${spool}/${name}`),
  ]
  const old = found.filter((path) => statSync(path).mtimeMs < sinceMs)
  for (const path of old) rmSync(path, { recursive: true })
  return old.length
}
