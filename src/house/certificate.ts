/** Takes over a new certificate: on demand (SIGHUP) and when its files change. Main thread. */
import type { Config } from '../config/schema.ts'
import { messageOf } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Counters } from '../core/metrics.ts'
import type { HttpServer } from '../http/server.ts'
import { tlsFingerprint } from '../http/tls-files.ts'

export interface Certificate {
  /** Takes what the files hold now. A pair that cannot be used leaves the old one in place and says so in the log. */
  reload(): Promise<void>
  stop(): void
}

/** How often the files are looked at. Both are written one after the other, so a bad pair is tried again. */
const lookMs = 5000

export function keepCertificate(rooms: {
  readonly tls: Config['server']['tls']
  readonly server: HttpServer
  readonly log: Log
  readonly counters: Pick<Counters, 'tlsReloads'>
  readonly lookMs?: number
}): Certificate {
  const { tls, server, log, counters } = rooms
  if (tls === null) return { reload: () => Promise.resolve(), stop: () => {} }
  let served = tlsFingerprint(tls)
  const reload = async (): Promise<void> => {
    const found = tlsFingerprint(tls)
    try {
      await server.reloadTls()
      served = found
      counters.tlsReloads += 1
      log.info('new certificate taken over')
    } catch (thrown) {
      log.error('certificate not taken over; connections go on with the old one', { reason: messageOf(thrown) })
    }
  }
  const timer = setInterval(() => {
    if (tlsFingerprint(tls) !== served) void reload()
  }, rooms.lookMs ?? lookMs)
  timer.unref()
  return { reload, stop: () => clearInterval(timer) }
}
