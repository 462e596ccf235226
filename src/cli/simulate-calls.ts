/**
 * `simulate calls`: loads a server with calls as Twilio would carry them and reports what was delivered, what the
 * server judged, and how punctual the simulator itself was. Its own lateness stands in the report because a load
 * generator that is late measures itself.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import { projectRoot } from '../core/project.ts'
import { type CallLoadReport, runCallLoad } from '../simulator/call-load.ts'
import { type Clip, loadClips, speechLikeClip } from '../simulator/clips.ts'
import { seededRandom } from '../simulator/seeded-random.ts'
import type { TwilioTarget } from '../simulator/twilio-webhook.ts'
import { fetchVerdicts, type SeenVerdict } from '../simulator/verdicts.ts'
import { readDemoAccount } from './demo-account.ts'
import { type ExitCode, type Terminal, table } from './terminal.ts'

export interface SimulateOptions {
  readonly url: string
  readonly streams: number
  readonly seconds: number
  readonly faults: boolean
  readonly seed: number
  readonly json: boolean
  readonly audio?: string | undefined
  readonly accountSid?: string | undefined
  /** The token itself, `env:` and `file:` already resolved. */
  readonly authToken?: string | undefined
  readonly publicUrl?: string | undefined
  readonly key?: string | undefined
}

export interface SimulateContext {
  readonly config: Config
  readonly clock: Clock
  readonly terminal: Terminal
}

export async function simulateCalls(context: SimulateContext, options: SimulateOptions): Promise<ExitCode> {
  const { terminal, clock } = context
  const target = targetOf(context.config, options)
  const clips = clipsOf(options.audio)
  const report = await runCallLoad({
    target,
    streams: options.streams,
    seconds: options.seconds,
    clips,
    faultSeed: options.faults ? options.seed : undefined,
    clock,
    progress: (state) =>
      terminal.progress(`${state.live} live, ${state.placed} placed, ${state.mediaMessages} media messages`),
  })
  terminal.progress('')
  const verdicts = await verdictsOf(context, options, target, report)
  if (options.json) terminal.print(JSON.stringify(asJson(options, report, verdicts)))
  else printReport(terminal, options, report, verdicts)
  const placedAll = report.counts.placed === options.streams
  return placedAll && Object.keys(report.counts.refused).length === 0 ? 0 : 1
}

type Target = Pick<SimulateOptions, 'url' | 'accountSid' | 'authToken' | 'publicUrl'>

/** Where to call, and in whose name. @throws OperatingError when no account is known */
export function targetOf(config: Config, options: Target): TwilioTarget {
  const url = new URL(options.url)
  const origin = `${url.protocol.replace('ws', 'http')}//${url.host}`
  const account = accountOf(config, options)
  // As the server does: signatures are over publicUrl, or over the address it is bound to.
  const bound = `http://${config.server.host}:${url.port || (url.protocol.endsWith('s:') ? '443' : '80')}`
  return { origin, publicUrl: (options.publicUrl ?? config.server.publicUrl ?? bound).replace(/\/+$/, ''), ...account }
}

function accountOf(config: Config, options: Target): Pick<TwilioTarget, 'accountSid' | 'authToken'> {
  const { accountSid, authToken } = options
  const configured = config.twilio.accounts.find((account) => accountSid === undefined || account.sid === accountSid)
  if (accountSid !== undefined && authToken !== undefined) return { accountSid, authToken }
  if (configured !== undefined) {
    if (isTwiliosOwn(configured.apiBaseUrl)) {
      throw new OperatingError(
        'config_invalid',
        `the server would ask ${configured.apiBaseUrl} about made-up calls of ${configured.sid}; set its ` +
          'apiBaseUrl to `voicefw simulate twilio`, or name an account by --account-sid and --auth-token',
      )
    }
    const [first] = configured.authTokens
    return { accountSid: configured.sid, authToken: authToken ?? first! }
  }
  const demo = readDemoAccount(config.dataDir)
  if (demo !== undefined && (accountSid === undefined || accountSid === demo.accountSid)) return demo
  throw new OperatingError(
    'config_invalid',
    'no Twilio account: configure twilio.accounts, or give --account-sid and --auth-token, or start `serve --demo`',
  )
}

/** A real account: streams that break, redirects and hang-ups would be asked for at Twilio. */
function isTwiliosOwn(apiBaseUrl: string): boolean {
  return /(^|\.)twilio\.com$/.test(new URL(apiBaseUrl).hostname)
}

/** The given folder, else the recordings that come with the package, else made-up audio. */
function clipsOf(folder: string | undefined): Clip[] {
  if (folder !== undefined) return loadClips(folder)
  const shipped = join(projectRoot, 'fixtures/calls')
  if (existsSync(shipped)) return loadClips(shipped)
  return [1, 2, 3].map((seed) => speechLikeClip(seededRandom(seed), 20))
}

async function verdictsOf(
  { config, clock, terminal }: SimulateContext,
  options: SimulateOptions,
  target: TwilioTarget,
  report: CallLoadReport,
): Promise<Map<string, SeenVerdict> | null> {
  const key = options.key ?? adminKeyOf(config.dataDir)
  if (key === undefined) {
    terminal.remark('no API key (--key, or admin.key in the data directory): server verdicts are not shown')
    return null
  }
  try {
    const callSids = new Set(report.calls.map((call) => call.callSid))
    return await fetchVerdicts({ origin: target.origin, key, callSids, clock })
  } catch (thrown) {
    terminal.remark(`server verdicts are not shown: ${messageOf(thrown)}`)
    return null
  }
}

function adminKeyOf(dataDir: string): string | undefined {
  try {
    return readFileSync(join(dataDir, 'admin.key'), 'utf8').trim()
  } catch {
    return undefined
  }
}

function asJson(options: SimulateOptions, report: CallLoadReport, verdicts: Map<string, SeenVerdict> | null): object {
  const { calls, ...figures } = report
  return {
    streams: options.streams,
    seconds: options.seconds,
    ...figures,
    verdicts: verdicts === null ? null : verdictRows(report, verdicts).map(([truth, labels]) => ({ truth, labels })),
    calls: calls.map((call) => ({ ...call, ...verdicts?.get(call.callSid) })),
  }
}

/** True nature of the recordings -> how often each label fell. */
function verdictRows(report: CallLoadReport, verdicts: Map<string, SeenVerdict>): [string, Record<string, number>][] {
  const byTruth = new Map<string, Record<string, number>>()
  for (const { callSid, truth } of report.calls) {
    const labels = byTruth.get(truth ?? 'unknown') ?? {}
    byTruth.set(truth ?? 'unknown', labels)
    const label = verdicts.get(callSid)?.label ?? 'not found'
    labels[label] = (labels[label] ?? 0) + 1
  }
  return [...byTruth].sort(([a], [b]) => a.localeCompare(b))
}

function printReport(
  terminal: Terminal,
  options: SimulateOptions,
  report: CallLoadReport,
  verdicts: Map<string, SeenVerdict> | null,
): void {
  const { counts, lateness } = report
  const fixed = (value: number, digits = 1) => value.toFixed(digits)
  const rows = [
    ['calls placed', `${counts.placed} of ${options.streams}`],
    ['media messages', String(counts.mediaMessages)],
    ['delivered per second', fixed(report.mediaMessagesPerSecond)],
    [
      'own lateness p50 / p99 / max',
      `${[lateness.p50Ms, lateness.p99Ms, lateness.maxMs].map((ms) => fixed(ms)).join(' / ')} ms`,
    ],
    ['own CPU per stream-second', `${fixed(report.ownCpuMsPerStreamSecond, 2)} ms`],
    ['most bytes waiting in a socket', String(counts.bufferedBytesMax)],
    ['closed by the server', listOf(counts.closedByServer)],
    ['messages from the server', String(counts.messagesFromServer)],
    ...(options.faults ? [['faults', listOf(counts.faults)]] : []),
  ]
  for (const [name, value] of rows) terminal.print(`${(name ?? '').padEnd(32)}${value}`)
  for (const [why, times] of Object.entries(counts.refused)) terminal.remark(`refused ${times} x: ${why}`)
  if (verdicts === null) return
  const labels = [...new Set(verdictRows(report, verdicts).flatMap(([, seen]) => Object.keys(seen)))].sort()
  terminal.print('')
  const body = verdictRows(report, verdicts).map(([truth, seen]) => [
    truth,
    ...labels.map((label) => String(seen[label] ?? 0)),
  ])
  for (const line of table(['truth', ...labels], body)) terminal.print(line)
}

function listOf(counts: Readonly<Record<string, number>>): string {
  const some = Object.entries(counts).filter(([, times]) => times > 0)
  return some.length === 0 ? 'none' : some.map(([what, times]) => `${what} ${times}`).join(', ')
}
