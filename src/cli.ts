#!/usr/bin/env node
/**
 * The command line (the only importer of commander): which commands there are, their options, and what an error
 * becomes. Exit codes: 0 good, 1 failed, 2 bad usage or configuration. Each command stands in its own file of cli/ and
 * is loaded only when it runs, so that `--help` is quick.
 */
import { readFileSync } from 'node:fs'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { scopes } from './access/roles.ts'
import { addKeeping } from './cli/keeping-commands.ts'
import type { KeyContext, NewKeyFlags } from './cli/key.ts'
import { addModelsCommands, type CommonOptions } from './cli/models-commands.ts'
import type { SimulateCdrOptions } from './cli/simulate-cdr.ts'
import type { SimulateTwilioOptions } from './cli/simulate-twilio.ts'
import { type ExitCode, processTerminal, type Terminal } from './cli/terminal.ts'
import { addTrainingCommands } from './cli/training-commands.ts'
import { ConfigProblems, loadConfig } from './config/load.ts'
import type { Config } from './config/schema.ts'
import { systemClock } from './core/clock.ts'
import { OperatingError } from './core/errors.ts'
import { version } from './core/project.ts'
import { type Prevalence, readPrevalence } from './simulator/cdr-prevalence.ts'
import { cdrEncodings } from './simulator/cdr-receipt.ts'

const terminal: Terminal = processTerminal()
const clock = systemClock
let exitCode: ExitCode = 0

function configOf(options: CommonOptions): Config {
  return loadConfig({ file: options.config, env: process.env })
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (Number.isInteger(value) && value >= min && value <= max) return value
    throw new InvalidArgumentError(`must be a whole number from ${min} to ${max}.`)
  }
}

function positiveNumber(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && value > 0 && value <= 1e6) return value
  throw new InvalidArgumentError('must be a number above 0.')
}

function prevalence(text: string): Prevalence {
  const shares = readPrevalence(text)
  if (typeof shares !== 'string') return shares
  throw new InvalidArgumentError(shares)
}

function webSocketUrl(text: string): string {
  if (URL.canParse(text) && /^wss?:$/.test(new URL(text).protocol)) return text
  throw new InvalidArgumentError('must be a WebSocket URL, like ws://127.0.0.1:8080.')
}

function serverUrl(text: string): string {
  if (URL.canParse(text) && /^(wss?|https?):$/.test(new URL(text).protocol)) return text
  throw new InvalidArgumentError('must be an http(s) or WebSocket URL, like ws://127.0.0.1:8080.')
}

/** Secrets do not belong on a command line, where every process sees them. */
function secret(text: string): string {
  if (text.startsWith('env:')) {
    const value = process.env[text.slice(4)]
    if (value) return value
    throw new InvalidArgumentError(`the environment variable ${text.slice(4)} is not set.`)
  }
  if (text.startsWith('file:')) {
    try {
      return readFileSync(text.slice(5), 'utf8').trim()
    } catch {
      throw new InvalidArgumentError(`the file ${text.slice(5)} cannot be read.`)
    }
  }
  throw new InvalidArgumentError('must be env:NAME or file:PATH; a secret on the command line is seen by others.')
}

/** A leaf command with the options every command has. */
function leaf(parent: Command, usage: string, description: string): Command {
  const command = parent.command(usage).description(description)
  return command.option('--config <file>', 'configuration laid over the defaults')
}

function build(): Command {
  const program = new Command('voicefw')
    .description('Real-time voice firewall: hears synthetic voices on live Twilio calls')
    .version(version)
    .configureOutput({ writeErr: (text) => terminal.remark(text.trimEnd()) })
    .exitOverride()
  addServe(program)
  addScore(program)
  addMap(program)
  addReplay(program)
  addSimulate(program)
  const exit = (code: ExitCode): void => {
    exitCode = code
  }
  const line = { leaf, configOf, clock, terminal, exit }
  addTrainingCommands(program, line)
  addModelsCommands(program, line)
  addDoctor(program)
  addKey(program)
  addAudit(program)
  addKeeping({
    leaf: (usage, description) => leaf(program, usage, description),
    contextOf: (options) => ({ config: configOf(options), clock, terminal }),
    leafBeside: (usage, description) => {
      const where = 'where the running server listens; default: as configured'
      return leaf(program, usage, description).option('--url <url>', where, serverUrl)
    },
    ended: (code) => {
      exitCode = code
    },
  })
  addVault(program)
  return program
}

function addServe(program: Command): void {
  leaf(program, 'serve', 'the server; prints one JSON log line per event')
    .option('--demo', 'also play recorded calls and call records through the real sockets, and print what is found')
    .action(async (options: CommonOptions & { demo?: boolean }) => {
      const context = { config: configOf(options), clock, terminal }
      const { serve } = await import('./cli/serve.ts')
      exitCode = await serve(context, { demo: options.demo === true })
    })
}

function addScore(program: Command): void {
  leaf(program, 'score <path...>', 'judge recordings through the pipeline of live calls')
    .option('--json', 'one JSON object per file and channel, one per line')
    .addHelpText(
      'after',
      '\nWAV (any rate, any channels) or raw 8 kHz mu-law (.ul .raw); folders are searched through.',
    )
    .action(async (paths: string[], options: CommonOptions & { json?: boolean }) => {
      const context = { config: configOf(options), clock, terminal }
      const { score } = await import('./cli/score.ts')
      exitCode = await score(context, paths, { json: options.json === true })
    })
}

function addMap(program: Command): void {
  leaf(program, 'map <file>', "a switch's call records through its source mapping, as canonical CDRs")
    .requiredOption('--source <name>', 'a mapping of configs/sources, or the path of your own')
    .option('--format <format>', 'what the file is, when its first bytes do not tell')
    .option('--json', 'the counts on the last line as one JSON object')
    .addHelpText('after', '\nRecords go to stdout, one JSON object a line; rejected ones to stderr. `-` reads stdin.')
    .action(async (file: string, options: CommonOptions & { source: string; format?: string; json?: boolean }) => {
      const { runMap } = await import('./cli/map.ts')
      const format = options.format === undefined ? {} : { format: options.format }
      exitCode = await runMap({ file, source: options.source, json: options.json === true, ...format })
    })
}

function addReplay(program: Command): void {
  leaf(program, 'replay <file>', 'run a file of call records through windows, rules and cases; nothing is stored')
    .requiredOption('--source <name>', 'the mapping: a shipped source, or the path of your own .yaml')
    .option('--sources <folder>', 'a folder with mappings of your own, looked through first')
    .option('--format <name>', 'json, ndjson, csv, ...; default: told by the first bytes')
    .option('--top <n>', 'cases shown', wholeNumber(1, 100_000), 20)
    .option('--json', 'one JSON object')
    .action(async (file: string, options: ReplayFlags) => {
      const { sources, ...rest } = options
      const { runReplay } = await import('./cli/replay.ts')
      const sourceDirectories = sources === undefined ? [] : [sources]
      exitCode = await runReplay({
        ...rest,
        json: options.json === true,
        file,
        sourceDirectories,
        cdr: configOf(options).cdr,
        clock,
        terminal,
      })
    })
}

interface ReplayFlags extends CommonOptions {
  readonly source: string
  readonly sources?: string
  readonly format?: string
  readonly top: number
  readonly json?: boolean
}

interface SimulateFlags extends CommonOptions {
  readonly url: string
  readonly streams: number
  readonly seconds: number
  readonly seed: number
  readonly faults?: boolean
  readonly json?: boolean
  readonly audio?: string
  readonly accountSid?: string
  readonly authToken?: string
  readonly publicUrl?: string
  readonly key?: string
}

function addSimulate(program: Command): void {
  const simulate = program.command('simulate').description('traffic as carriers send it')
  leaf(simulate, 'calls', 'load a server with calls as Twilio would carry them, paced at 20 ms')
    .requiredOption('--url <ws>', 'server under test, like ws://127.0.0.1:8080', webSocketUrl)
    .requiredOption('--streams <n>', 'calls at a time', wholeNumber(1, 20_000))
    .requiredOption('--seconds <s>', 'length of each call', wholeNumber(1, 86_400))
    .option('--faults', 'bursts, losses, duplicates, reconnects, second streams, malformed texts, calls that vanish')
    .addOption(new Option('--seed <k>', 'seed of the faults').argParser(wholeNumber(0, 1_000_000)).default(1))
    .option('--account-sid <sid>', 'Twilio account; default: the configured one unless it is real, else the demo')
    .option('--auth-token <secret>', 'its token, as env:NAME or file:PATH', secret)
    .option('--public-url <url>', 'base URL that signatures are made over; default: as the configured server does')
    .option('--audio <folder>', 'recordings to play; default: fixtures/calls')
    .option(
      '--key <secret>',
      'API key to fetch verdicts with, as env:NAME or file:PATH; default: dataDir/admin.key',
      secret,
    )
    .option('--json', 'one JSON object')
    .action(async (options: SimulateFlags) => {
      const context = { config: configOf(options), clock, terminal }
      const { simulateCalls } = await import('./cli/simulate-calls.ts')
      const { faults = false, json = false } = options
      exitCode = await simulateCalls(context, { ...options, faults, json })
    })
  addSimulateTwilio(simulate)
  addSimulateCdr(simulate)
}

function addSimulateTwilio(simulate: Command): void {
  leaf(simulate, 'twilio', 'Twilio with its REST API, for a server whose apiBaseUrl points to it')
    .requiredOption('--url <url>', 'server under test, like http://127.0.0.1:8080', serverUrl)
    .option('--port <p>', 'where the REST API is played, on loopback', wholeNumber(0, 65_535), 8090)
    .option('--calls <n>', 'calls to place', wholeNumber(0, 5000), 1)
    .option('--seconds <s>', 'how long they go on unless the server ends them', wholeNumber(1, 86_400), 60)
    .option('--no-webhook', 'calls are live without asking the webhook; listen by POST /v1/detections')
    .option('--account-sid <sid>', 'Twilio account; default: the configured one unless it is real, else the demo')
    .option('--auth-token <secret>', 'its token, as env:NAME or file:PATH', secret)
    .option('--public-url <url>', "the server's publicUrl; default: as configured, else its address")
    .option('--audio <folder>', 'recordings to play; default: those of the package')
    .option('--json', 'one JSON object per event, the last with the counts')
    .action(async (options: CommonOptions & Omit<SimulateTwilioOptions, 'json'> & { json?: boolean }) => {
      const context = { config: configOf(options), clock, terminal }
      const { simulateTwilio } = await import('./cli/simulate-twilio.ts')
      exitCode = await simulateTwilio(context, { ...options, json: options.json === true })
    })
}

function addSimulateCdr(simulate: Command): void {
  leaf(simulate, 'cdr', 'labelled telephone traffic: normal, alike to fraud, and campaigns of every kind')
    .option('--rate <r>', 'call attempts a second, mean over the whole time', positiveNumber, 20)
    .option('--seconds <s>', 'how long, in event time', positiveNumber)
    .addOption(new Option('--hours <h>', 'the same in hours; default 1').argParser(positiveNumber).conflicts('seconds'))
    .option('--url <url>', 'send to a server in real time: http://127.0.0.1:8080 or ws://127.0.0.1:8080', serverUrl)
    .option('--key <secret>', 'ingest key of that server, as env:NAME or file:PATH', secret)
    .addOption(
      new Option('--encoding <name>', 'of messages over ws://; http:// posts NDJSON')
        .choices(cdrEncodings)
        .default('msgpack'),
    )
    .option('--ask <r>', 'also ask for so many decisions a second, about the calls sent', positiveNumber)
    .addOption(
      new Option('--seed <k>', 'the same seed gives the same traffic').argParser(wholeNumber(0, 1e9)).default(1),
    )
    .addOption(
      new Option('--plan <name>', 'number plan; the two share no number').choices(['train', 'test']).default('train'),
    )
    .option('--scenario <file>', 'YAML laid over configs/simulation/default.yaml')
    .option('--prevalence <list>', 'share of attempts by kind, like flash_call=0.001,wangiri=0, or all=0', prevalence)
    .option('--records <file>', 'write NDJSON of canonical CDRs, as --source canonical reads it')
    .option('--out <file>', 'labels: id,label,campaign,subject')
    .option('--dirt', 'duplicates, late and disordered records, forks, bad fields: see dirt in the scenario')
    .option('--json', 'the counts as one JSON object')
    .action(async (options: SimulateCdrOptions & CommonOptions & { hours?: number }) => {
      const { simulateCdr } = await import('./cli/simulate-cdr.ts')
      const { dirt = false, json = false, seconds = (options.hours ?? 1) * 3600 } = options
      const { unackedMessagesMax: messagesMax, unackedBytesMax: bytesMax } = configOf(options).cdr.doors
      const window = { messagesMax, bytesMax }
      exitCode = await simulateCdr({ clock, terminal }, { ...options, seconds, dirt, json, window })
    })
}

function addDoctor(program: Command): void {
  leaf(program, 'doctor', 'check configuration, data directory, models, storage, ports and the Twilio URL').action(
    async (options: CommonOptions) => {
      const { doctor } = await import('./cli/doctor.ts')
      exitCode = await doctor({ sources: { file: options.config, env: process.env }, clock, terminal })
    },
  )
}

function addKey(program: Command): void {
  const key = program.command('key').description('API keys: shown once, stored hashed')
  const context = (options: CommonOptions): KeyContext => ({ dataDir: configOf(options).dataDir, clock, terminal })
  leaf(key, 'create', 'make a key; it is printed alone on the last line')
    .requiredOption('--role <role>', 'viewer, operator, admin or ingest')
    .requiredOption('--name <name>', 'who or what will use it')
    .addOption(new Option('--scope <scope...>', 'permissions beside the role').choices([...scopes]))
    .option('--expires <when>', 'ISO 8601 date or time after which it is refused')
    .action(async (options: CommonOptions & NewKeyFlags) => {
      const { createKey } = await import('./cli/key.ts')
      exitCode = createKey(context(options), options)
    })
  leaf(key, 'list', 'ids, roles, names; never the keys themselves').action(async (options: CommonOptions) => {
    const { listKeys } = await import('./cli/key.ts')
    exitCode = listKeys(context(options))
  })
  leaf(key, 'revoke <id>', 'a running server refuses it within a second').action(
    async (id: string, options: CommonOptions) => {
      const { revokeKey } = await import('./cli/key.ts')
      exitCode = revokeKey(context(options), id)
    },
  )
}

function addVault(program: Command): void {
  const vault = program.command('vault').description('phone numbers that are stored as tokens: their keys')
  leaf(vault, 'status', 'the master keys, and how many numbers each wraps')
    .option('--json', 'one JSON object')
    .action(async (options: CommonOptions & { json?: boolean }) => {
      const context = { config: configOf(options), clock, terminal }
      exitCode = await (await import('./cli/vault.ts')).vaultStatus(context, options.json === true)
    })
  leaf(vault, 'rotate', 'wrap the key of every number anew under a new master, beside a running server or alone')
    .option('--destroy-old', 'then destroy older masters: older copies of the data give no number away any more')
    .action(async (options: CommonOptions & { destroyOld?: boolean }) => {
      const context = { config: configOf(options), clock, terminal }
      exitCode = await (await import('./cli/vault.ts')).rotateVault(context, options.destroyOld === true)
    })
}

function addAudit(program: Command): void {
  const audit = program.command('audit').description('who did what')
  leaf(audit, 'verify', 'find audit rows that were changed, removed or inserted')
    .option('--url <url>', 'a running server; default: the store itself, while no server runs', serverUrl)
    .option('--key <secret>', 'admin key, as env:NAME or file:PATH; default: dataDir/admin.key', secret)
    .option('--json', 'one JSON object')
    .action(async (options: CommonOptions & { url?: string; key?: string; json?: boolean }) => {
      const { verifyAudit } = await import('./cli/audit.ts')
      const { url, key, json = false } = options
      const asked = { ...(url === undefined ? {} : { url }), ...(key === undefined ? {} : { key }), json }
      exitCode = await verifyAudit({ config: configOf(options), clock, terminal }, asked)
    })
}

/** What anything thrown by a command means to whoever called it. */
function codeOf(thrown: unknown): ExitCode {
  // Help and version are "thrown" too, with code 0; everything else of commander is bad usage, said already.
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2
  terminal.progress('')
  if (thrown instanceof ConfigProblems) {
    terminal.remark(`error: ${thrown.message}`)
    return 2
  }
  if (thrown instanceof OperatingError) {
    terminal.remark(`error: ${thrown.code}: ${thrown.message}`)
    return thrown.code === 'config_invalid' ? 2 : 1
  }
  terminal.remark(thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown))
  return 1
}

try {
  await build().parseAsync()
} catch (thrown) {
  exitCode = codeOf(thrown)
}
// A pipe that is full takes the rest later: a long answer was once cut at 64 KiB.
await Promise.all([process.stdout, process.stderr].map((to) => new Promise((written) => to.write('', written))))
// Explicit: after a failed start, children and timers would hold the process.
process.exit(exitCode)
