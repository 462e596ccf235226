/**
 * Loads the configuration in layers: configs/default.yaml, then the user's file, then the environment. All problems are
 * reported at once with path, value and what is allowed. Secrets written as `env:NAME` or `file:PATH` are read here and
 * nowhere else. Main thread, at start.
 */
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { messageOf, OperatingError } from '../core/errors.ts'
import { projectRoot } from '../core/project.ts'
import { notifyProblems } from './notify-schema.ts'
import { opinionsProblems } from './opinions-schema.ts'
import { type Config, configSchema } from './schema.ts'

type Tree = { [key: string]: unknown }

export interface ConfigSources {
  /** Path of the user's YAML file, if any. */
  readonly file?: string | undefined
  /** The environment; only names that begin with VOICEFW__ count. */
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Every problem of a configuration, one a line. */
export class ConfigProblems extends OperatingError {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super('config_invalid', `the configuration has ${problems.length} problem(s):\n- ${problems.join('\n- ')}`)
    this.problems = problems
  }
}

/** @throws ConfigProblems with all problems at once. */
export function loadConfig(sources: ConfigSources): Config {
  const problems: string[] = []
  const tree = readYaml(`${projectRoot}configs/default.yaml`, problems)
  if (sources.file !== undefined) lay(tree, readYaml(sources.file, problems))
  layEnvironment(tree, sources.env, problems)
  const resolved = resolveSecrets(tree, '', sources.env, problems) as Tree
  const parsed = configSchema.safeParse(resolved)
  if (!parsed.success) {
    for (const issue of parsed.error.issues) problems.push(describeIssue(issue, resolved))
  } else {
    problems.push(...crossFieldProblems(parsed.data))
  }
  if (problems.length > 0 || !parsed.success) throw new ConfigProblems(problems)
  return parsed.data
}

function readYaml(path: string, problems: string[]): Tree {
  try {
    const tree: unknown = parse(readFileSync(path, 'utf8'))
    if (tree === null) return {}
    if (isTree(tree)) return tree
    problems.push(`${path}: must be a mapping of keys, got ${Array.isArray(tree) ? 'a list' : typeof tree}`)
  } catch (thrown) {
    problems.push(`${path}: ${messageOf(thrown)}`)
  }
  return {}
}

/** Any other YAML file that must be a mapping of keys (source mappings). @throws ConfigProblems */
export function readYamlFile(path: string): Record<string, unknown> {
  const problems: string[] = []
  const tree = readYaml(path, problems)
  if (problems.length > 0) throw new ConfigProblems(problems)
  return tree
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Lays `over` on `under` in place: mappings merge, everything else replaces. */
function lay(under: Tree, over: Tree): void {
  for (const [key, value] of Object.entries(over)) {
    const below = under[key]
    if (isTree(below) && isTree(value)) lay(below, value)
    else under[key] = value
  }
}

/** VOICEFW__SERVER__PORT=9000 sets server.port. Values are YAML, so numbers, booleans, null and [lists] work. */
function layEnvironment(tree: Tree, env: ConfigSources['env'], problems: string[]): void {
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('VOICEFW__') || text === undefined) continue
    const path = name.slice('VOICEFW__'.length).split('__')
    let node: Tree = tree
    for (const [depth, part] of path.entries()) {
      const key = matchKey(node, part)
      if (depth === path.length - 1) {
        node[key] = environmentValue(name, text, problems)
      } else {
        if (!isTree(node[key])) node[key] = {}
        node = node[key] as Tree
      }
    }
  }
}

/** DATA_DIR -> dataDir: the existing key that reads the same without underscores and case, else plain camelCase. */
function matchKey(node: Tree, part: string): string {
  const wanted = part.replaceAll('_', '').toLowerCase()
  const known = Object.keys(node).find((key) => key.toLowerCase() === wanted)
  return known ?? part.toLowerCase().replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

function environmentValue(name: string, text: string, problems: string[]): unknown {
  try {
    return parse(text)
  } catch (thrown) {
    problems.push(`${name}: not readable as a YAML value: ${messageOf(thrown)}`)
    return undefined
  }
}

function resolveSecrets(value: unknown, path: string, env: ConfigSources['env'], problems: string[]): unknown {
  if (Array.isArray(value)) return value.map((item, index) => resolveSecrets(item, `${path}[${index}]`, env, problems))
  if (isTree(value)) {
    const entries = Object.entries(value)
    return Object.fromEntries(
      entries.map(([key, item]) => [key, resolveSecrets(item, path === '' ? key : `${path}.${key}`, env, problems)]),
    )
  }
  if (typeof value !== 'string') return value
  if (value.startsWith('env:')) return secretFromEnvironment(value.slice(4), path, env, problems)
  if (value.startsWith('file:')) return secretFromFile(value.slice(5), path, problems)
  return value
}

function secretFromEnvironment(name: string, path: string, env: ConfigSources['env'], problems: string[]): string {
  const secret = env[name]
  if (secret === undefined || secret === '') problems.push(`${path}: environment variable ${name} is not set`)
  return secret ?? ''
}

function secretFromFile(file: string, path: string, problems: string[]): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (thrown) {
    problems.push(`${path}: ${messageOf(thrown)}`)
    return ''
  }
}

const secretKeys = new Set(['authTokens', 'password', 'secrets', 'webhookUrl', 'apiKey'])

/** Path, value (never a secret's) and what is allowed. */
function describeIssue(issue: { path: PropertyKey[]; message: string; code: string }, tree: Tree): string {
  const path = issue.path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text === '' ? String(part) : `${text}.${String(part)}`,
    '',
  )
  let value: unknown = tree
  for (const part of issue.path) value = (value as Tree | undefined)?.[String(part)]
  const secret = issue.path.some((part) => secretKeys.has(String(part)))
  const keys = issue.code === 'unrecognized_keys' ? (issue as unknown as { keys: string[] }).keys : []
  if (keys.length > 0) return `${path === '' ? '' : `${path}: `}unknown key ${keys.map((key) => `"${key}"`).join(', ')}`
  const got = secret ? '(secret)' : (JSON.stringify(value) ?? 'nothing')
  return `${path}: got ${got.slice(0, 80)}; ${issue.message}`
}

const loopbackHosts = new Set(['127.0.0.1', '::1', 'localhost'])

export function isLoopback(host: string): boolean {
  return loopbackHosts.has(host)
}

/** Rules that tie values to one another; both values are said. */
function crossFieldProblems(config: Config): string[] {
  const problems: string[] = []
  const voice = config.detection.voice
  if (voice.firmNetSpeechMs < voice.provisionalNetSpeechMs) {
    problems.push(
      `detection.voice.firmNetSpeechMs (${voice.firmNetSpeechMs}) must not be below ` +
        `detection.voice.provisionalNetSpeechMs (${voice.provisionalNetSpeechMs})`,
    )
  }
  const { synthetic, human } = voice.thresholds
  if (synthetic !== null && human !== null && human >= synthetic) {
    problems.push(`detection.voice.thresholds.human (${human}) must be below .synthetic (${synthetic})`)
  }
  if (voice.workerHungMs < 4 * voice.tickMs) {
    problems.push(
      `detection.voice.workerHungMs (${voice.workerHungMs}) must be at least ` +
        `4 x detection.voice.tickMs (${voice.tickMs})`,
    )
  }
  if (!config.twilio.enforceSignature && !isLoopback(config.server.host)) {
    problems.push(`twilio.enforceSignature: false is allowed on loopback only, server.host is ${config.server.host}`)
  }
  problems.push(...notifyProblems(config.notify), ...opinionsProblems(config.opinions))
  return problems
}
