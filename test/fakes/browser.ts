/**
 * Debian's chromium, without a window, on a page of the fake API. `chromium-headless-shell` is the same browser built
 * without its windows: the pages cost 9.6 s of CPU a file instead of 22 (fraud-page, one machine), so it comes first.
 * Without a browser the tests fail and say how to get one: a dashboard nobody looked at is not tested.
 */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { type Browser, chromium, type Locator, type Page } from 'playwright-core'
import type { Role } from '../../src/access/roles.ts'
import { type ApiOptions, fakeApi } from './api.ts'
import { FraudDesk, withDesk } from './fraud-desk.ts'
import { type PageServer, serveRoutes } from './page-server.ts'

const places = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium']
const executablePath = process.env['CHROMIUM'] ?? places.find((path) => existsSync(path)) ?? '/usr/bin/chromium'

const args = [
  '--no-sandbox',
  '--headless',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
]

export async function openBrowser(): Promise<Browser> {
  if (!existsSync(executablePath)) {
    throw new Error(
      `no browser at ${executablePath}; apt-get install chromium-headless-shell, or set CHROMIUM to its path`,
    )
  }
  return chromium.launch({ executablePath, args })
}

export interface Screen {
  readonly api: ReturnType<typeof fakeApi>
  readonly desk: FraudDesk
  readonly server: PageServer
  readonly page: Page
  /** Console errors, exceptions and policy violations so far. */
  readonly complaints: string[]
  close(): Promise<void>
}

export interface ScreenOptions extends ApiOptions {
  readonly width?: number
  readonly height?: number
  readonly colorScheme?: 'light' | 'dark'
  readonly reducedMotion?: 'reduce' | 'no-preference'
  /** What stands in memory and storage before the page comes. */
  readonly prepare?: (api: ReturnType<typeof fakeApi>) => void
  /** The same for cases, numbers and reports; null: no desk, the API's own routes over its case book. */
  readonly fraud?: ((desk: FraudDesk) => void) | null
  /** Who signs in; default: a viewer. */
  readonly role?: Role
  /** Where to go after signing in, like `#/fraud`. */
  readonly hash?: string
  /** Part of the address after the server's; default: signs in by fragment. */
  readonly path?: string
  /** Runs before the page's own script. */
  readonly script?: string
}

export async function openScreen(browser: Browser, options: ScreenOptions = {}): Promise<Screen> {
  const api = fakeApi(options)
  options.prepare?.(api)
  const desk = new FraudDesk(api.bus)
  options.fraud?.(desk)
  const server = await serveRoutes(options.fraud === null ? api.routes : withDesk(api, desk))
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1440, height: options.height ?? 900 },
    colorScheme: options.colorScheme ?? 'light',
    reducedMotion: options.reducedMotion ?? 'no-preference',
  })
  const page = await context.newPage()
  page.setDefaultTimeout(10_000)
  const complaints: string[] = []
  page.on('console', (message) => {
    // Reading pixels is the tests' own doing.
    const ours = !message.text().includes('getImageData')
    if (ours && (message.type() === 'error' || message.type() === 'warning')) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  await page.addInitScript(`document.addEventListener('securitypolicyviolation',
    (event) => console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI))`)
  if (options.script !== undefined) await page.addInitScript(options.script)
  const { key } = options.role === undefined ? api : api.keys.create(options.role, 'screen')
  await page.goto(`${server.url}${options.path ?? `/#key=${key}`}`)
  if (options.hash !== undefined) {
    await page.waitForSelector('.connection-live')
    await page.goto(`${server.url}/${options.hash}`)
  }
  const close = async () => {
    await context.close()
    server.close()
  }
  return { api, desk, server, page, complaints, close }
}

/** Waits until there are `count` of them (the page's policy forbids waiting by a function handed over as text). */
export async function settlesAt(rows: Locator, count: number): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if ((await rows.count()) === count) return
    await new Promise((next) => setTimeout(next, 50))
  }
  assert.equal(await rows.count(), count)
}

/** Data of a verdict event as main.ts publishes it. */
export function verdict(over: Readonly<Record<string, unknown>>): object {
  return {
    track: 'inbound',
    state: 'live',
    label: 'likely_human',
    score: 0.1,
    confidence: 0.5,
    provisional: false,
    netSpeechMs: 5000,
    gapMs: 0,
    lostMs: 0,
    window: null,
    changed: true,
    reasons: [],
    at: '2026-01-01T00:00:00.000Z',
    ...over,
  }
}
