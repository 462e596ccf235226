/**
 * Structured logs: one JSON line per event on stdout (pino). Messages are static text; what varies stands in fields.
 * Phone numbers and secrets are never fields; as a last guard, digit runs that look like a number are masked in every
 * string. Any thread (workers report through the main thread).
 */
import { pino } from 'pino'

/** Fields of one line. Values must be small: ids, counts, codes. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>

export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  child(fields: LogFields): Log
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

const phoneLike = /\+\d{7,15}\b/g

function masked(fields: LogFields): LogFields {
  const out: Record<string, string | number | boolean | null | undefined> = {}
  for (const [key, value] of Object.entries(fields)) {
    out[key] = typeof value === 'string' ? value.replace(phoneLike, '+***') : value
  }
  return out
}

function wrap(target: ReturnType<typeof pino>): Log {
  return {
    debug: (message, fields = {}) => target.isLevelEnabled('debug') && target.debug(masked(fields), message),
    info: (message, fields = {}) => target.info(masked(fields), message),
    warn: (message, fields = {}) => target.warn(masked(fields), message),
    error: (message, fields = {}) => target.error(masked(fields), message),
    child: (fields) => wrap(target.child(masked(fields))),
  }
}

/** A log that writes whole lines synchronously, so that the last line before a crash is not lost. */
export function createLog(level: LogLevel, destinationFd = 1): Log {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: levelName } }
  return wrap(pino(options, pino.destination({ fd: destinationFd, sync: true })))
}

function levelName(label: string): { level: string } {
  return { level: label }
}

/** For tests and commands that print their own lines. */
export const silentLog: Log = createLog('silent')
