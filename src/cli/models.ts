/**
 * `models list | show | verify | activate | rollback | candidate`: the registry, beside a running server (which looks
 * at `models/registry.json` every `models.watchMs` and takes over what it finds) or without one. Nothing is activated,
 * nor tried as a candidate, that does not verify: manifest, sha256, and a run over made-up input.
 */
import type { Config } from '../config/schema.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import { checkVersion, type VersionCheck, versionFacts } from '../inference/model-check.ts'
import { ModelRegistry, modelsDirectory, type RegistryEntry } from '../inference/model-registry.ts'
import { type ExitCode, type Terminal, table } from './terminal.ts'

export interface ModelsContext {
  readonly config: Config
  readonly clock: Clock
  readonly terminal: Terminal
}

interface Asked {
  readonly json: boolean
}

function open({ config, clock }: ModelsContext): ModelRegistry {
  return new ModelRegistry(modelsDirectory(config.models.directory), clock)
}

/** active, previous, candidate, or nothing. */
function standingOf({ active, previous, candidate }: RegistryEntry, version: string): string {
  const words = [version === active ? 'active' : '', version === candidate ? 'candidate' : '']
  return [...words, version === previous ? 'previous' : ''].filter((word) => word !== '').join(', ')
}

function rowsOf(registry: ModelRegistry, wanted?: string) {
  const names = Object.entries(registry.read()).filter(([name]) => wanted === undefined || name === wanted)
  return names.flatMap(([name, entry]) =>
    registry.versions(name).map((version) => {
      const known = { name, version, standing: standingOf(entry, version) }
      try {
        const { kind, sha256, parameters, thresholds } = versionFacts(registry.folderOf(name, version))
        return { ...known, kind, sha256, parameters, thresholds, problem: null }
      } catch (thrown) {
        const nothing = { kind: null, sha256: null, parameters: null, thresholds: null }
        return { ...known, ...nothing, problem: messageOf(thrown) }
      }
    }),
  )
}

export function listModels(context: ModelsContext, { json }: Asked): ExitCode {
  const { terminal } = context
  const rows = rowsOf(open(context))
  if (json) {
    terminal.print(JSON.stringify(rows))
    return 0
  }
  const cells = rows.map(({ name, version, standing, parameters, sha256, problem }) => {
    return [name, version, standing, String(parameters ?? ''), sha256?.slice(0, 12) ?? '', problem ?? '']
  })
  for (const line of table(['name', 'version', 'standing', 'parameters', 'sha256', 'problem'], cells))
    terminal.print(line)
  return 0
}

/** One version, the active one unless told otherwise: its manifest's facts and how it stands. */
export function showModel(
  context: ModelsContext,
  name: string,
  version: string | undefined,
  { json }: Asked,
): ExitCode {
  const { terminal } = context
  const registry = open(context)
  const entry = registry.entry(name)
  const shown = version ?? entry.active
  const dir = registry.folderOf(name, shown)
  const facts = versionFacts(dir)
  const view = { name, version: shown, standing: standingOf(entry, shown), ...facts, folder: dir }
  if (json) {
    terminal.print(JSON.stringify(view))
    return 0
  }
  const thresholds = Object.entries(facts.thresholds).map(([key, value]) => `${key} ${value}`)
  const lines: [string, string][] = [
    ['version', facts.label],
    ['standing', view.standing === '' ? 'kept' : view.standing],
    ['kind', facts.kind],
    ['parameters', String(facts.parameters)],
    ['thresholds', thresholds.join(', ')],
    ['sha256', facts.sha256],
    ['folder', dir],
  ]
  for (const [key, value] of lines) terminal.print(`${key.padEnd(12)}${value}`)
  return 0
}

/** All versions, or those of a name, or one. Each is told; one that fails makes it exit 1. */
export async function verifyModels(
  context: ModelsContext,
  name: string | undefined,
  version: string | undefined,
  { json }: Asked,
): Promise<ExitCode> {
  const { terminal, clock } = context
  const registry = open(context)
  if (name !== undefined) registry.folderOf(name, version ?? registry.entry(name).active)
  const wanted = rowsOf(registry, name).filter((row) => version === undefined || row.version === version)
  let failed = 0
  for (const row of wanted) {
    const label = `${row.name}/${row.version}`
    try {
      const checked = await checkVersion(registry.folderOf(row.name, row.version), () => clock.steadyMs())
      terminal.print(json ? JSON.stringify({ ...checked, ok: true }) : `ok    ${label}  ${words(checked)}`)
    } catch (thrown) {
      failed += 1
      const problem = messageOf(thrown)
      terminal.print(json ? JSON.stringify({ label, ok: false, problem }) : `FAIL  ${label}  ${problem}`)
    }
  }
  return failed > 0 || wanted.length === 0 ? 1 : 0
}

function words({ bytes, sha256, loadMs, runMs }: VersionCheck): string {
  const times = `loads in ${loadMs.toFixed(0)} ms, a row takes ${runMs.toFixed(2)} ms`
  return `${bytes} bytes, sha256 ${sha256.slice(0, 12)}, ${times}`
}

/** @throws OperatingError with why a version is refused */
export async function activateModel(context: ModelsContext, name: string, version: string): Promise<ExitCode> {
  const registry = open(context)
  await checkVersion(registry.folderOf(name, version), () => context.clock.steadyMs())
  return told(context, name, registry.activate(name, version))
}

/** @throws OperatingError with why it is refused */
export async function rollbackModel(context: ModelsContext, name: string): Promise<ExitCode> {
  const registry = open(context)
  await checkVersion(registry.folderOf(name, registry.before(name)), () => context.clock.steadyMs())
  return told(context, name, registry.rollback(name))
}

/** @throws OperatingError with why a version is refused */
export async function tryModel(context: ModelsContext, name: string, version: string | null): Promise<ExitCode> {
  const registry = open(context)
  if (version !== null) await checkVersion(registry.folderOf(name, version), () => context.clock.steadyMs())
  return told(context, name, registry.setCandidate(name, version))
}

function told({ config, terminal }: ModelsContext, name: string, entry: RegistryEntry): ExitCode {
  const { active, previous, candidate } = entry
  terminal.print(`${name}: active ${active}, previous ${previous ?? 'none'}, candidate ${candidate ?? 'none'}`)
  const seconds = Math.ceil(config.models.watchMs / 1000)
  terminal.remark(`a running server takes it over within ${seconds} s of its next look; see GET /v1/models`)
  return 0
}
