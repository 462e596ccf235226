/**
 * The Twilio account of a demo: made up for one run of `serve --demo` when none is configured, and left in the data
 * directory (mode 0600) so that `simulate calls` on the same machine can sign in its name. It exists nowhere at Twilio.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

export interface DemoAccount {
  readonly accountSid: string
  readonly authToken: string
}

const shape = z.strictObject({ accountSid: z.string().regex(/^AC[0-9a-f]{32}$/), authToken: z.string().min(1) })

function pathIn(dataDir: string): string {
  return join(dataDir, 'demo-account.json')
}

/** The account of the demo that runs or last ran here. */
export function readDemoAccount(dataDir: string): DemoAccount | undefined {
  try {
    return shape.parse(JSON.parse(readFileSync(pathIn(dataDir), 'utf8')))
  } catch {
    return undefined
  }
}

/** @param random cryptographically random bytes */
export function makeDemoAccount(dataDir: string, random: (bytes: number) => Buffer): DemoAccount {
  const account = { accountSid: `AC${random(16).toString('hex')}`, authToken: random(16).toString('hex') }
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  // The mode counts only for a file that is new.
  rmSync(pathIn(dataDir), { force: true })
  writeFileSync(pathIn(dataDir), `${JSON.stringify(account)}\n`, { mode: 0o600 })
  return account
}
