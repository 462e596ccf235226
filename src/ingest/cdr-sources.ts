/**
 * Finds and reads source mappings: `configs/sources/NAME.yaml` of the package, the user's own directories before it,
 * or a path to a file. A mapping may begin with `extends: NAME` and change a few keys: maps merge, everything else
 * replaces. Main thread, at start and by commands.
 */
import { existsSync, readdirSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { ConfigProblems, readYamlFile } from '../config/load.ts'
import { OperatingError } from '../core/errors.ts'
import { projectRoot } from '../core/project.ts'
import { parseMapping, type SourceMapping } from '../wire/cdr-mapping-schema.ts'

type Tree = { [key: string]: unknown }

export interface NamedSource {
  readonly name: string
  readonly mapping: SourceMapping
}

/** Where the shipped mappings lie. */
const shippedSources = `${projectRoot}configs/sources`

/** Mappings may extend one another so many times. */
const extendsMax = 5

const namePattern = /^[a-z0-9][a-z0-9_-]{0,63}$/

/**
 * `nameOrPath`: `asterisk-csv`, or `./my-pbx.yaml` (its name is then the file's). `directories` are looked through
 * first.
 * @throws OperatingError not_found, ConfigProblems with all problems at once.
 */
export function loadSource(nameOrPath: string, directories: readonly string[] = []): NamedSource {
  const isPath = /\.ya?ml$/.test(nameOrPath)
  const name = isPath
    ? basename(nameOrPath)
        .replace(/\.ya?ml$/, '')
        .toLowerCase()
    : nameOrPath
  if (!namePattern.test(name)) {
    throw new OperatingError('bad_request', 'a source name is a-z, 0-9, - and _, at most 64 characters')
  }
  const path = isPath ? nameOrPath : findSource(name, directories)
  const tree = readExtended(path, isPath ? [dirname(path), ...directories] : directories, 0)
  const mapping = parseMapping(tree)
  if ('fields' in mapping) return { name, mapping }
  throw new ConfigProblems(mapping.map((problem) => `${path}: ${problem}`))
}

/** Names of all sources that can be loaded, sorted. */
export function listSources(directories: readonly string[] = []): string[] {
  const names = new Set<string>()
  for (const directory of [...directories, shippedSources]) {
    if (!existsSync(directory)) continue
    for (const file of readdirSync(directory)) if (/\.ya?ml$/.test(file)) names.add(file.replace(/\.ya?ml$/, ''))
  }
  return [...names].sort()
}

function findSource(name: string, directories: readonly string[]): string {
  for (const directory of [...directories, shippedSources]) {
    for (const ending of ['yaml', 'yml']) {
      const path = `${directory}/${name}.${ending}`
      if (existsSync(path)) return path
    }
  }
  throw new OperatingError('not_found', `no source "${name}"; there are ${listSources(directories).join(', ')}`)
}

function readExtended(path: string, directories: readonly string[], depth: number): Tree {
  const { extends: base, ...own } = readYamlFile(path)
  if (base === undefined) return own
  if (typeof base !== 'string' || !namePattern.test(base) || depth >= extendsMax) {
    throw new ConfigProblems([`${path}: extends: the name of another source, at most ${extendsMax} deep`])
  }
  // A user's file may extend the shipped one of the same name.
  const isSelf = basename(path).replace(/\.ya?ml$/, '') === base
  return laid(readExtended(findSource(base, isSelf ? [] : directories), directories, depth + 1), own)
}

function laid(under: Tree, over: Tree): Tree {
  const out: Tree = { ...under }
  for (const [key, value] of Object.entries(over)) {
    const below = out[key]
    out[key] = isTree(below) && isTree(value) ? laid(below, value) : value
  }
  return out
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
