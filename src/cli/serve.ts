/**
 * `serve`: starts the server and stays until SIGTERM or SIGINT, then lets live calls finish as far as `server.drainMs`
 * allows; a second signal ends at once. SIGHUP takes over a new certificate. stdout carries JSON log lines; what is
 * for people (a new admin key) goes to stderr. With `--demo` recorded calls and call records are played by a child
 * process and the lines are for people.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isLoopback } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { createLog, type Log } from '../core/log.ts'
import { startFirewall } from '../main.ts'
import { type DemoPlayer, demoConfig, demoIngestKey, demoLog, startDemoPlayer } from './demo.ts'
import type { ExitCode, Terminal } from './terminal.ts'

export interface ServeContext {
  readonly config: Config
  readonly clock: Clock
  readonly terminal: Terminal
}

/** Stands for "ended by a signal, not by choice": 128 + SIGINT. */
const exitAtOnce = 130

export async function serve(context: ServeContext, { demo }: { demo: boolean }): Promise<ExitCode> {
  const { clock, terminal } = context
  if (demo && !isLoopback(context.config.server.host)) {
    terminal.remark(`error: the demo stays on loopback; server.host is ${context.config.server.host}`)
    return 2
  }
  const config = demo ? demoConfig(context.config) : context.config
  const log = demo ? demoLog(terminal) : createLog(config.logLevel)
  const signal = nextSignal()
  let key: string | undefined
  const adminKeyMade = (made: string): void => {
    key = made
    if (!demo) terminal.remark(`admin key of this machine (also in ${join(config.dataDir, 'admin.key')}): ${made}`)
  }
  const firewall = await Promise.race([startFirewall({ config, log, clock, adminKeyMade }), signal])
  if (firewall === undefined) return 0
  process.on('SIGHUP', () => void firewall.reload())
  const player = demo ? startPlayer(context, config, firewall.url, key) : undefined
  await signal
  endAtSecondSignal(log)
  try {
    await player?.stop()
  } finally {
    await firewall.close()
  }
  return 0
}

function startPlayer({ clock, terminal }: ServeContext, config: Config, url: string, made?: string): DemoPlayer {
  const key = made ?? adminKeyIn(config.dataDir)
  const ingest = demoIngestKey(config.dataDir, clock)
  const player = startDemoPlayer({ config, terminal, url, key, ingestKey: ingest.key })
  return {
    async stop() {
      await player.stop()
      ingest.revoke()
    },
  }
}

function nextSignal(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGTERM', () => resolve())
    process.once('SIGINT', () => resolve())
  })
}

/** Rows that have no place in ClickHouse yet are in the spool: nothing that was accepted is lost. */
function endAtSecondSignal(log: Log): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      log.warn('ended at once', { reason: 'a second signal', signal })
      process.exit(exitAtOnce)
    })
  }
}

function adminKeyIn(dataDir: string): string | undefined {
  try {
    return readFileSync(join(dataDir, 'admin.key'), 'utf8').trim()
  } catch {
    return undefined
  }
}
