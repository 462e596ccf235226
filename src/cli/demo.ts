/**
 * What `serve --demo` adds to the server: a Twilio account and a key for call records that exist only here, log lines
 * for people, and the player's process, which speaks to the server through its real doors and dies with it.
 */
import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { ApiKeys } from '../access/api-keys.ts'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import type { Log, LogFields } from '../core/log.ts'
import { makeDemoAccount } from './demo-account.ts'
import type { DemoOrders } from './demo-player.child.ts'
import type { Terminal } from './terminal.ts'

/** The configuration, with an account for this run when there is none. */
export function demoConfig(config: Config): Config {
  if (config.twilio.accounts.length > 0) return config
  const { accountSid, authToken } = makeDemoAccount(config.dataDir, randomBytes)
  // Nothing of a demo goes out to Twilio; the discard port makes sure of it.
  const account = { sid: accountSid, authTokens: [authToken], apiBaseUrl: 'http://127.0.0.1:9' }
  return { ...config, twilio: { ...config.twilio, accounts: [account] } }
}

/** Only what somebody should look at, as plain lines. */
export function demoLog(terminal: Pick<Terminal, 'remark'>, bound: LogFields = {}): Log {
  const line = (level: string, message: string, fields: LogFields = {}) => {
    const pairs = Object.entries({ ...bound, ...fields }).map(([name, value]) => `${name}=${value}`)
    terminal.remark([level, message, ...pairs].join('  '))
  }
  return {
    debug() {},
    info() {},
    warn: (message, fields) => line('warn', message, fields),
    error: (message, fields) => line('error', message, fields),
    child: (fields) => demoLog(terminal, { ...bound, ...fields }),
  }
}

/** A key to send call records with, for this run: what a former demo left is revoked. */
export function demoIngestKey(dataDir: string, clock: Clock): { readonly key: string; revoke(): void } {
  const keys = new ApiKeys({ dataDir, clock, random: randomBytes })
  for (const { id, name, revokedAt } of keys.list()) if (name === demoKeyName && revokedAt === null) keys.revoke(id)
  const { id, key } = keys.create('ingest', demoKeyName)
  return { key, revoke: () => void keys.revoke(id) }
}

const demoKeyName = 'demo switch'

export interface DemoPlayer {
  stop(): Promise<void>
}

export interface DemoPlayerOptions {
  readonly config: Config
  readonly terminal: Terminal
  readonly url: string
  /** A key to listen to events with; without one the demo plays silently. */
  readonly key: string | undefined
  /** A key to send call records with. */
  readonly ingestKey: string
}

/** The lines people look for first. */
export function welcomeLines(url: string, key: string | undefined): string[] {
  const dashboard = key === undefined ? `${url}/` : `${url}/#key=${key}`
  const rule = '='.repeat(Math.min(100, dashboard.length + 14))
  return [rule, `  Dashboard   ${dashboard}`, rule]
}

export function startDemoPlayer({ config, terminal, url, key, ingestKey }: DemoPlayerOptions): DemoPlayer {
  for (const line of welcomeLines(url, key)) terminal.print(line)
  const [account] = config.twilio.accounts
  const child = fork(fileURLToPath(new URL('./demo-player.child.js', import.meta.url)), { stdio: 'inherit' })
  const orders: DemoOrders = {
    target: {
      origin: url,
      publicUrl: (config.server.publicUrl ?? url).replace(/\/+$/, ''),
      accountSid: account!.sid,
      authToken: account!.authTokens[0]!,
    },
    key: key ?? null,
    ingestKey,
  }
  child.send(orders)
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.once('exit', (code) => {
    if (code !== 0 && code !== null) terminal.remark(`error: the demo player ended with ${code}; the server goes on`)
  })
  return {
    stop() {
      if (child.connected) child.disconnect()
      return gone
    },
  }
}
