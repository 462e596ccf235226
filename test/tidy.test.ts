/**
 * The style, as a test: ranks of rooms, one door per dependency, sizes, names, leftovers. A failure reads
 * `path:line: what; use what instead`. The rules stand in src/README.md.
 */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, it } from 'node:test'
import { projectRoot } from '../src/core/project.ts'

const ranks: Readonly<Record<string, number>> = {
  core: 0,
  config: 1,
  wire: 1,
  http: 2,
  audio: 2,
  log: 2,
  access: 2,
  privacy: 2,
  ingest: 3,
  features: 3,
  inference: 4,
  recordings: 4,
  decisions: 5,
  worker: 6,
  storage: 6,
  notify: 6,
  actions: 6,
  opinions: 6,
  training: 6,
  api: 7,
  watch: 7,
  dashboard: 7,
  house: 8,
  simulator: 8,
  'main.ts': 9,
  cli: 10,
  'cli.ts': 11,
}

/** Package -> where it may be imported. Everything else goes through that file or room. */
const doors: Readonly<Record<string, string | readonly string[]>> = {
  uwebsockets: 'src/http/server.ts',
  'onnxruntime-web': 'src/inference/session.ts',
  lmdb: 'src/log/',
  chdb: 'src/storage/chdb.child.ts',
  '@clickhouse/client': 'src/storage/server-store.ts',
  'prom-client': 'src/core/metrics.ts',
  pino: 'src/core/log.ts',
  yaml: 'src/config/load.ts',
  commander: [
    'src/cli.ts',
    'src/cli/keeping-commands.ts',
    'src/cli/models-commands.ts',
    'src/cli/training-commands.ts',
  ],
  twilio: 'src/actions/',
  ws: ['src/simulator/', 'src/opinions/vendor-socket.ts'],
  nodemailer: 'src/notify/mail.ts',
  'libphonenumber-js': 'src/wire/numbers.ts',
  '@msgpack/msgpack': 'src/wire/',
  jose: 'src/access/jwt.ts',
  'rate-limiter-flexible': 'src/access/rate-limits.ts',
  'node:worker_threads': 'src/worker/',
}

const wordsBanned = /^(util|utils|helper|helpers|common|misc|manager|handler|service|base|types|index)$/
const linesMax = 400
const columnsMax = 120
const functionLinesMax = 70

interface Source {
  readonly path: string
  readonly lines: readonly string[]
}

function sources(folder: string): Source[] {
  const root = join(projectRoot, folder)
  if (!existsSync(root)) return []
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(projectRoot.length))
    .map((path) => ({ path, lines: readFileSync(join(projectRoot, path), 'utf8').split('\n') }))
}

const product = sources('src')
const everything = [...product, ...sources('test'), ...sources('benchmarks'), ...sources('wasm')]

function importsOf(source: Source): { line: number; from: string }[] {
  return source.lines.flatMap((text, index) => {
    const match = /(?:from|^import|import\()\s*'([^']+)'/.exec(text)
    return match?.[1] === undefined ? [] : [{ line: index + 1, from: match[1] }]
  })
}

function roomOf(path: string): string {
  return path.split('/')[1] ?? ''
}

function none(problems: readonly string[]): void {
  assert.deepEqual(problems, [])
}

/**
 * Top-level and class-level functions by brace counting on formatted code: `{` ends the head, `}` at its indent ends
 * it.
 */
function longFunctions(source: Source): string[] {
  const head =
    /^(\s*)(?:export )?(?:async )?(?:function\b|(?:static |async |#|get |set )*[\w#]+(?:<[^>]*>)?\(.*\).*\{$)/
  const skip = /^\s*(?:if|for|while|switch|return|describe|it|test|else|catch|constructor\(\) \{\})\b/
  const problems: string[] = []
  for (const [index, text] of source.lines.entries()) {
    const match = head.exec(text)
    if (!match || skip.test(text)) continue
    const end = source.lines.findIndex((line, at) => at > index && line === `${match[1]}}`)
    const length = end - index + 1
    if (end > 0 && length > functionLinesMax) {
      problems.push(`${source.path}:${index + 1}: function of ${length} lines; split it, ${functionLinesMax} at most`)
    }
  }
  return problems
}

describe('the house', () => {
  it('imports only from its own room or from rooms of a lower rank', () => {
    const problems: string[] = []
    for (const source of product) {
      const room = roomOf(source.path)
      const rank = ranks[room]
      if (rank === undefined) problems.push(`${source.path}:1: no room "${room}"; put it in a room of src/README.md`)
      for (const { line, from } of importsOf(source)) {
        if (!from.startsWith('.')) continue
        const target = roomOf(join(source.path, '..', from))
        if (target === room || (ranks[target] ?? 99) < (rank ?? -1)) continue
        problems.push(`${source.path}:${line}: ${room} imports ${target}; hand it in as a callback from main.ts`)
      }
    }
    none(problems)
  })

  it('has one door per dependency', () => {
    const problems: string[] = []
    for (const source of product) {
      for (const { line, from } of importsOf(source)) {
        const door =
          doors[from] ??
          doors[
            from
              .split('/')
              .slice(0, from.startsWith('@') ? 2 : 1)
              .join('/')
          ]
        if (door === undefined || [door].flat().some((each) => source.path.startsWith(each))) continue
        problems.push(`${source.path}:${line}: imports ${from}; its door is ${door}`)
      }
      for (const [index, text] of source.lines.entries()) {
        const touches = /\bWebAssembly\b/.test(text) && !/^\s*(\*|\/\*|\/\/)/.test(text)
        if (touches && source.path !== 'src/audio/kernels.ts' && source.path !== 'src/cli/doctor.ts') {
          problems.push(`${source.path}:${index + 1}: touches WebAssembly; its door is src/audio/kernels.ts`)
        }
      }
    }
    none(problems)
  })

  it('keeps rooms two levels deep and its names nouns of the field', () => {
    const problems = everything.flatMap(({ path }) => {
      const parts = path.split('/')
      const name = basename(path).replace(/(\.test|\.worker|\.child)?\.tsx?$/, '')
      const found: string[] = []
      if (path.startsWith('src/') && parts.length > 3 && parts[1] !== 'dashboard' && parts[1] !== 'cli') {
        found.push(`${path}:1: deeper than src/room/file.ts; flatten it`)
      }
      if (name.split('-').some((word) => wordsBanned.test(word))) {
        found.push(`${path}:1: name "${name}" says nothing; use a noun of the field`)
      }
      return found
    })
    none(problems)
  })

  it('keeps files, functions and lines short enough to read', () => {
    const problems = everything.flatMap((source) => {
      const found = longFunctions(source)
      if (source.lines.length - 1 > linesMax) {
        found.push(`${source.path}:1: ${source.lines.length - 1} lines; split by subject, ${linesMax} at most`)
      }
      for (const [index, text] of source.lines.entries()) {
        if (text.length > columnsMax)
          found.push(`${source.path}:${index + 1}: ${text.length} columns; ${columnsMax} at most`)
      }
      return found
    })
    none(problems)
  })

  it('opens every file of the product with what it is', () => {
    const problems = product
      .filter((source) => !/^(#!.*\n)?\/\*\*/.test(source.lines.slice(0, 2).join('\n')))
      .map((source) => `${source.path}:1: no opening docstring; say what it is, what it promises, which thread`)
    none(problems)
  })

  it('has no any, default export, enum, barrel or leftover', () => {
    const rules: readonly [RegExp, string][] = [
      [/(?::|\bas|<)\s*any\b/, 'any; use unknown and narrow it'],
      [/^export default/, 'default export; use a name'],
      [/^(export )?(const )?enum\b/, 'enum; use a const object and its union'],
      [/^export \* from/, 'barrel; import from the file'],
      [/\b(TO[D]O|FIX[M]E|HA[C]K|XX[X])\b/, 'leftover; do it, or write it under Limits in the README'],
      [/@ts-(ignore|nocheck)/, 'silenced compiler; narrow the type'],
      [/\b(test|it|describe)\.(skip|only)\b/, 'skipped or only-test; run it or delete it'],
    ]
    const problems = everything
      .filter((source) => source.path !== 'test/tidy.test.ts')
      .flatMap((source) =>
        source.lines.flatMap((line, index) => {
          const text = line.replace(/(^\s*\*|\/\/|\/\*).*$/, (comment) => comment.replace(/\b(any|default)\b/g, ''))
          return rules
            .filter(([pattern]) => pattern.test(text))
            .map(([, advice]) => `${source.path}:${index + 1}: ${advice}`)
        }),
      )
    none(problems)
  })

  it('reads the clock in core/clock.ts only, and prints and exits in the command line only', () => {
    const problems: string[] = []
    for (const { path, lines } of product) {
      const room = roomOf(path)
      for (const [index, text] of lines.entries()) {
        if (/^\s*(\*|\/\*|\/\/)/.test(text)) continue
        const clockFree = path === 'src/core/clock.ts' || room === 'dashboard' || room.startsWith('cli')
        if (!clockFree && /\b(Date\.now|performance\.now)\(/.test(text)) {
          problems.push(`${path}:${index + 1}: reads a clock; take a Clock as an argument`)
        }
        if (
          !room.startsWith('cli') &&
          !path.startsWith('src/training/') &&
          /\bconsole\.|\bprocess\.exit\(/.test(text)
        ) {
          if (!/\.(child|worker)\.ts$/.test(path)) {
            problems.push(`${path}:${index + 1}: prints or exits; log through core/log.ts, or throw`)
          }
        }
      }
    }
    none(problems)
  })

  it('gives every test a subject and every file off the main thread its suffix', () => {
    const problems = sources('test')
      .filter(({ path }) => path.endsWith('.test.ts') && path.split('/').length === 3)
      .filter(({ path }) => !/^test\/(e2e|fakes|dashboard)\//.test(path))
      .filter(({ path }) => {
        const subject = path.replace(/^test\//, 'src/').replace(/\.test\.ts$/, '')
        return !existsSync(join(projectRoot, `${subject}.ts`))
      })
      .map(({ path }) => `${path}:1: no such source file; name the test after its subject`)
    none(problems)
  })

  it('makes the folders of tests in one place, which removes them', () => {
    const problems = sources('test')
      .filter(({ path }) => !['test/fakes/scratch.ts', 'test/tidy.test.ts'].includes(path))
      .flatMap(({ path, lines }) =>
        lines.flatMap((text, index) =>
          /\bmkdtemp/.test(text)
            ? [`${path}:${index + 1}: makes a folder that nobody removes; ask test/fakes/scratch.ts for it`]
            : [],
        ),
      )
    none(problems)
  })

  it('keeps numeric rooms free of threads, sockets and storage', () => {
    const problems = product
      .filter(({ path }) => ['audio', 'features', 'inference'].includes(roomOf(path)))
      .flatMap((source) =>
        importsOf(source)
          .filter(({ from }) => /worker_threads|\/http\/|\/storage\/|node:net|node:http/.test(from))
          .map(({ line, from }) => `${source.path}:${line}: imports ${from}; numeric rooms are pure`),
      )
    none(problems)
  })
})
