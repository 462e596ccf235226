/**
 * `models/registry.json` as people change it: which version of a name is active, which was before, which one is tried
 * beside it (the candidate). Every change is made under a lock and replaces the whole file, so the command line works
 * beside a running server, which looks for changes. Nothing is checked here but that the version has a folder: who
 * activates has verified it (model-check.ts). Main thread.
 *
 *   activate 2:  { active: 1, previous: null, candidate: 2 } -> { active: 2, previous: 1, candidate: null }
 *   rollback:    { active: 2, previous: 1 }                  -> { active: 1, previous: 2 }
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../core/clock.ts'
import { OperatingError } from '../core/errors.ts'
import { withFileLock } from '../core/file-lock.ts'
import { projectRoot } from '../core/project.ts'
import { writeWholeFile } from '../core/whole-file.ts'
import { folder } from './manifest-keys.ts'
import { type Registry, readRegistry } from './model-file.ts'

export type RegistryEntry = Registry[string]

/** The package's own, unless the configuration names another. */
export function modelsDirectory(configured: string | null): string {
  return configured ?? join(projectRoot, 'models')
}

export class ModelRegistry {
  readonly directory: string
  readonly #path: string
  readonly #clock: Clock

  constructor(directory: string, clock: Clock) {
    this.directory = directory
    this.#path = join(directory, 'registry.json')
    this.#clock = clock
  }

  /** @throws OperatingError `model_invalid` */
  read(): Registry {
    return readRegistry(this.directory)
  }

  /** The file as it is, to see whether it changed; null: it cannot be read. */
  text(): string | null {
    try {
      return readFileSync(this.#path, 'utf8')
    } catch {
      return null
    }
  }

  /** @throws OperatingError `not_found` */
  entry(name: string): RegistryEntry {
    const entry = this.read()[name]
    if (entry === undefined) throw new OperatingError('not_found', `no model is called "${name.slice(0, 64)}"`)
    return entry
  }

  /** Folders with a manifest, in natural order. */
  versions(name: string): string[] {
    const root = join(this.directory, name)
    if (!existsSync(root)) return []
    const names = readdirSync(root).filter((version) => existsSync(join(root, version, 'manifest.json')))
    return names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  }

  /** Folder of a version. @throws OperatingError `not_found` */
  folderOf(name: string, version: string): string {
    this.entry(name)
    const path = join(this.directory, name, version)
    if (!folder.safeParse(version).success || !existsSync(join(path, 'manifest.json'))) {
      const known = this.versions(name).join(', ')
      throw new OperatingError('not_found', `${name} has no version "${version.slice(0, 64)}"; it has ${known}`)
    }
    return path
  }

  /** The version that a rollback leads to. @throws OperatingError `not_found`, `conflict` */
  before(name: string): string {
    const { previous } = this.entry(name)
    if (previous === null) throw new OperatingError('conflict', `${name} has no version before the active one`)
    return previous
  }

  /** A version that is active already changes nothing. @throws OperatingError `not_found`, `model_invalid` */
  activate(name: string, version: string): RegistryEntry {
    this.folderOf(name, version)
    return this.#change(name, (entry) => {
      if (entry.active === version) return entry
      const candidate = entry.candidate === version ? null : entry.candidate
      return { active: version, previous: entry.active, candidate }
    })
  }

  /** @throws OperatingError `not_found`, `conflict`, `model_invalid` */
  rollback(name: string): RegistryEntry {
    return this.activate(name, this.before(name))
  }

  /** Null takes it out. @throws OperatingError `not_found`, `conflict`, `model_invalid` */
  setCandidate(name: string, version: string | null): RegistryEntry {
    if (version !== null) this.folderOf(name, version)
    return this.#change(name, (entry) => {
      if (version === entry.active) throw new OperatingError('conflict', `${name}/${version} is the active version`)
      return { ...entry, candidate: version }
    })
  }

  #change(name: string, edit: (entry: RegistryEntry) => RegistryEntry): RegistryEntry {
    return withFileLock(this.#path, 'the registry of models', this.#clock, () => {
      const registry = this.read()
      const entry = this.entry(name)
      const changed = edit(entry)
      if (changed === entry) return entry
      writeWholeFile(this.#path, `${JSON.stringify({ ...registry, [name]: changed }, null, 1)}\n`, 0o644)
      return changed
    })
  }
}
