/**
 * `simulate cdr`: labelled telephone traffic in event time. To files as fast as it goes: canonical CDRs as NDJSON (what
 * `--source canonical` reads) and beside them `id,label,campaign,subject`. To a server in real time, through the doors
 * that switches use. Prints counts by label and campaign. Files are written in pieces of bounded size, so memory does
 * not grow with the run.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import type { Clock } from '../core/clock.ts'
import { messageOf, OperatingError } from '../core/errors.ts'
import { cdrLine, type LabelledCdr, labelHead, labelLine } from '../simulator/cdr-call.ts'
import { DirtyTraffic } from '../simulator/cdr-dirt.ts'
import { cdrDoor } from '../simulator/cdr-door.ts'
import { type CdrLoadOptions, type CdrLoadReport, type Percentiles, runCdrLoad } from '../simulator/cdr-load.ts'
import { type CampaignKind, campaignKinds, type Prevalence } from '../simulator/cdr-prevalence.ts'
import type { CdrEncoding } from '../simulator/cdr-receipt.ts'
import type { PlanName } from '../simulator/cdr-scenario.ts'
import type { CreditWindow } from '../simulator/cdr-socket-door.ts'
import { CdrTraffic } from '../simulator/cdr-traffic.ts'
import { type ExitCode, progressText, type Terminal, table } from './terminal.ts'

export interface SimulateCdrOptions {
  /** Attempts a second, mean over the whole time. */
  readonly rate: number
  /** Length in event time. */
  readonly seconds: number
  readonly seed: number
  readonly plan: PlanName
  readonly scenario?: string | undefined
  readonly prevalence?: Prevalence | undefined
  /** Server to send to, in real time: http(s):// or ws(s)://. */
  readonly url?: string | undefined
  readonly key?: string | undefined
  /** Of a WebSocket's messages; posts are NDJSON. */
  readonly encoding?: CdrEncoding | undefined
  /** Decisions asked for a second, beside the records. */
  readonly ask?: number | undefined
  /** What the server lets a socket have unacknowledged. */
  readonly window?: CreditWindow | undefined
  /** NDJSON of records. */
  readonly records?: string | undefined
  /** CSV of labels. */
  readonly out?: string | undefined
  /** With defects, as the scenario's `dirt` has them. */
  readonly dirt: boolean
  readonly json: boolean
}

export interface SimulateCdrContext {
  readonly clock: Clock
  readonly terminal: Terminal
}

const progressEvery = 20_000

export async function simulateCdr(context: SimulateCdrContext, options: SimulateCdrOptions): Promise<ExitCode> {
  const { terminal, clock } = context
  const { plan, scenario, prevalence, seed, rate, seconds, url, key } = options
  if (options.records === undefined && url === undefined) {
    throw new OperatingError('config_invalid', 'say where the records shall go: --records FILE, --url URL, or both')
  }
  const attempts = Math.round(rate * seconds)
  const startUs = url === undefined ? undefined : Math.round(clock.wallMs() * 1000)
  const traffic = new CdrTraffic({ plan, file: scenario, prevalence, seed, attempts, seconds, startUs })
  const dirty = options.dirt ? new DirtyTraffic(traffic, traffic.scenario.dirt, seed) : null
  const source = dirty ?? traffic
  const records = options.records === undefined ? null : new LineFile(options.records)
  const labels = options.out === undefined ? null : new LineFile(options.out)
  const tally = new Tally(Object.keys(dirty?.counts ?? {}))
  const startMs = clock.steadyMs()
  labels?.write(labelHead)
  const sent = (cdr: LabelledCdr) => {
    records?.write(cdr.line ?? cdrLine(cdr.record))
    // One label an id, and none for what nobody will accept.
    if (cdr.repeated !== true && cdr.defect !== 'bad_field') labels?.write(labelLine(cdr.record.id, cdr.truth))
    tally.add(cdr)
    if (tally.records % progressEvery !== 0) return
    terminal.progress(progressText(tally.records, attempts, clock.steadyMs() - startMs))
  }
  let load: CdrLoadReport | undefined
  if (url === undefined) for (let cdr = source.next(); cdr !== undefined; cdr = source.next()) sent(cdr)
  else {
    const { encoding, window, ask } = options
    const door = cdrDoor({ url, key, encoding, window })
    load = await sendAll({ source, door, clock, ...traffic.span, sent, asksPerSecond: ask })
  }
  records?.end()
  labels?.end()
  terminal.progress('')
  print(terminal, options, { tally, load, elapsedS: (clock.steadyMs() - startMs) / 1000 })
  if (traffic.hurried > 0) terminal.remark(`${traffic.hurried} records were written before their time: too many waited`)
  return load === undefined || load.sent === load.accepted + load.duplicates + load.rejected ? 0 : 1
}

async function sendAll(options: CdrLoadOptions): Promise<CdrLoadReport> {
  try {
    return await runCdrLoad(options)
  } finally {
    options.door.close()
  }
}

/** Lines gathered and written in pieces. Latin-1, because all of it is ASCII but for bytes that are bad on purpose. */
class LineFile {
  readonly #path: string
  readonly #file: number
  #text = ''

  constructor(path: string) {
    this.#path = path
    try {
      this.#file = openSync(path, 'w')
    } catch (thrown) {
      throw new OperatingError('bad_request', `${path} cannot be written: ${messageOf(thrown)}`)
    }
  }

  write(line: string): void {
    this.#text += `${line}\n`
    if (this.#text.length > pieceChars) this.#flush()
  }

  end(): void {
    this.#flush()
    closeSync(this.#file)
  }

  #flush(): void {
    try {
      const bytes = Buffer.from(this.#text, 'latin1')
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#file, bytes, at)
      this.#text = ''
    } catch (thrown) {
      throw new OperatingError('bad_request', `${this.#path} cannot be written: ${messageOf(thrown)}`)
    }
  }
}

const pieceChars = 256 * 1024

interface Count {
  label: string
  attempts: number
  answered: number
  readonly campaigns: Set<string>
}

/** Counts by label and by what a campaign is called without its number. */
class Tally {
  records = 0
  attempts = 0
  readonly groups = new Map<string, Count>()
  /** Of what went out: duplicates and forks count by the row that is too much. */
  readonly defects: Record<string, number>

  constructor(defects: readonly string[]) {
    this.defects = Object.fromEntries(defects.map((defect) => [defect, 0]))
  }

  add({ record, truth, repeated, defect }: LabelledCdr): void {
    this.records++
    const extra = repeated === true || !record.isAttempt
    const made = extra || (defect !== 'duplicate' && defect !== 'fork') ? defect : undefined
    if (made !== undefined) this.defects[made] = (this.defects[made] ?? 0) + 1
    if (!record.isAttempt || repeated === true || defect === 'bad_field') return
    this.attempts++
    const dash = truth.campaign.lastIndexOf('-')
    const name = dash < 0 ? truth.campaign : truth.campaign.slice(0, dash)
    const key = `${truth.label} ${name}`
    let count = this.groups.get(key)
    if (count === undefined) {
      count = { label: truth.label, attempts: 0, answered: 0, campaigns: new Set() }
      this.groups.set(key, count)
    }
    count.attempts++
    if (record.answerUs !== null) count.answered++
    if (dash >= 0) count.campaigns.add(truth.campaign)
  }
}

interface Outcome {
  readonly tally: Tally
  readonly elapsedS: number
  readonly load: CdrLoadReport | undefined
}

function print(terminal: Terminal, options: SimulateCdrOptions, outcome: Outcome): void {
  const { tally, elapsedS, load } = outcome
  const defects = options.dirt ? tally.defects : undefined
  const groups = [...tally.groups].sort(([, a], [, b]) => rankOf(a.label) - rankOf(b.label) || b.attempts - a.attempts)
  if (options.json) {
    const rows = groups.map(([key, { label, attempts, answered, campaigns }]) => ({
      label,
      traffic: key.slice(label.length + 1),
      campaigns: campaigns.size,
      attempts,
      answered,
    }))
    const { records, attempts } = tally
    terminal.print(
      JSON.stringify({ seed: options.seed, plan: options.plan, records, attempts, elapsedS, rows, defects, load }),
    )
    return
  }
  const percent = (part: number, whole: number) => `${((100 * part) / Math.max(1, whole)).toFixed(2)} %`
  const body = groups.map(([key, { label, attempts, answered, campaigns }]) => [
    label,
    key.slice(label.length + 1),
    campaigns.size === 0 ? '' : String(campaigns.size),
    String(attempts),
    percent(attempts, tally.attempts),
    percent(answered, attempts),
  ])
  for (const line of table(['label', 'traffic', 'campaigns', 'attempts', 'share', 'answered'], body))
    terminal.print(line)
  if (load !== undefined) printLoad(terminal, load)
  const speed = Math.round(tally.records / Math.max(elapsedS, 0.001))
  if (defects !== undefined) {
    const made = Object.entries(defects).map(([defect, times]) => `${defect} ${times}`)
    terminal.print(`defects: ${made.join(', ')}`)
  }
  terminal.print(`${tally.records} records, ${tally.attempts} attempts, ${speed} records/s`)
}

function printLoad(terminal: Terminal, load: CdrLoadReport): void {
  const times = ({ p50, p99, max }: Percentiles) => `${[p50, p99, max].map((ms) => ms.toFixed(1)).join(' / ')} ms`
  const { sent, accepted, duplicates, rejected, resent, reconnects, decisions } = load
  const acked = accepted + duplicates + rejected
  terminal.print(`sent ${sent}, acked ${acked}: accepted ${accepted}, duplicates ${duplicates}, rejected ${rejected}`)
  const again = `batches sent again ${resent}, reconnects ${reconnects}`
  terminal.print(`sent per second ${load.sentPerSecond.toFixed(0)}, ${again}`)
  terminal.print(`answer p50 / p99 / max ${times(load.answer)}, own lateness ${times(load.lateness)}`)
  if (decisions === undefined) return
  const { asked, answered, failed, actions, answer } = decisions
  const told = Object.entries(actions).map(([action, count]) => `${action} ${count}`)
  terminal.print(`decisions asked ${asked}, answered ${answered}, failed ${failed}: ${told.join(', ')}`)
  terminal.print(`decision p50 / p99 / max ${times(answer)}`)
}

function rankOf(label: string): number {
  return campaignKinds.indexOf(label as CampaignKind)
}
