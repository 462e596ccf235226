/**
 * `npm run bench [-- NAME...]`: every file of benchmarks/ that exports `run()`, each in a process of its own so that
 * none warms or spoils another; prints the table, writes results.json and renews the table in README.md. A row is good
 * when it keeps its budget; a file that fails is told at the end and makes the exit code 1.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { arch, cpus, release } from 'node:os'
import { fileURLToPath } from 'node:url'
import { projectRoot } from '../src/core/project.ts'
import type { BenchmarkRow } from './row.ts'

const folder = `${projectRoot}benchmarks/`
const marks = { start: '<!-- results: written by npm run bench -->', end: '<!-- end of results -->' }

interface Results {
  readonly [benchmark: string]: { readonly measuredAt: string; readonly machine: string; readonly rows: BenchmarkRow[] }
}

/** Names of the benchmarks: files that say `export async function run`. */
function benchmarkNames(): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.ts') && file !== 'run.ts')
    .filter((file) => /^export (async )?function run\(/m.test(readFileSync(folder + file, 'utf8')))
    .map((file) => file.slice(0, -'.ts'.length))
    .sort()
}

/** Rows of one benchmark, from a process of its own; null when it failed (its stderr was shown). */
function measure(name: string): BenchmarkRow[] | null {
  const self = fileURLToPath(import.meta.url)
  const { status, stdout } = spawnSync(process.execPath, ['--expose-gc', self, '--only', name], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 64 * 2 ** 20,
  })
  const last = stdout.trimEnd().split('\n').at(-1) ?? ''
  return status === 0 ? (JSON.parse(last) as BenchmarkRow[]) : null
}

/** A budget whose aim is above its must wants large values, any other small ones. */
function verdictOf({ value, budget }: Pick<BenchmarkRow, 'value' | 'budget'>): '' | 'aim' | 'must' | 'MISS' {
  if (budget === undefined) return ''
  const sign = budget.aim > budget.must ? -1 : 1
  if (sign * value <= sign * budget.aim) return 'aim'
  return sign * value <= sign * budget.must ? 'must' : 'MISS'
}

function number(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value)
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)))
}

function cells(row: BenchmarkRow): string[] {
  const { name, value, unit, baseline, budget } = row
  const beside = baseline === undefined ? '' : `${number(baseline.value)} (${baseline.name})`
  const ratio = baseline === undefined ? '' : number(value / baseline.value)
  const wanted = budget === undefined ? '' : `${number(budget.must)} / ${number(budget.aim)}`
  return [name, number(value), unit, beside, ratio, wanted, verdictOf(row)]
}

const head = ['what', 'value', 'unit', 'baseline, same run', 'ratio', 'must / aim', 'reached']

function markdown(results: Results): string {
  const lines: string[] = []
  for (const [name, { rows, measuredAt, machine }] of Object.entries(results).sort(([a], [b]) => a.localeCompare(b))) {
    lines.push('', `### ${name}`, '', `${measuredAt.slice(0, 10)}, ${machine}`, '')
    lines.push(`| ${head.join(' | ')} |`, `|${head.map(() => '---|').join('')}`)
    for (const row of rows) lines.push(`| ${cells(row).join(' | ')} |`)
  }
  return lines.join('\n')
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** The results of this run laid over those of earlier ones. */
function save(fresh: Results): void {
  const path = `${folder}results.json`
  const names = benchmarkNames()
  const known = { ...(JSON.parse(read(path) ?? '{}') as Results), ...fresh }
  const results = Object.fromEntries(Object.entries(known).filter(([name]) => names.includes(name)))
  writeFileSync(path, `${JSON.stringify(results, null, 2)}\n`)
  const readme = read(`${folder}README.md`) ?? `# Benchmarks\n\n${marks.start}\n${marks.end}\n`
  const [before, rest] = readme.split(marks.start)
  const after = rest?.split(marks.end)[1]
  if (before === undefined || after === undefined) throw new Error(`benchmarks/README.md lacks ${marks.start}`)
  writeFileSync(`${folder}README.md`, `${before}${marks.start}\n${markdown(results)}\n\n${marks.end}${after}`)
}

function main(wanted: readonly string[]): number {
  const names = benchmarkNames().filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  const machine = `${cpus()[0]?.model.trim()} x ${cpus().length}, Node ${process.version}, ${arch()} ${release()}`
  const fresh: Record<string, Results[string]> = {}
  const failed: string[] = []
  for (const name of names) {
    console.error(`${name} ...`)
    const rows = measure(name)
    if (rows === null) {
      failed.push(name)
      continue
    }
    fresh[name] = { measuredAt: new Date().toISOString(), machine, rows }
    for (const row of rows) console.log(cells(row).filter(Boolean).join('  |  '))
  }
  save(fresh)
  for (const name of failed) console.error(`${name} failed`)
  return failed.length > 0 || names.length === 0 ? 1 : 0
}

const [flag, only] = process.argv.slice(2)
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (flag === '--only') {
    const { run } = (await import(`./${only}.js`)) as { run: () => Promise<BenchmarkRow[]> }
    console.log(JSON.stringify(await run()))
    process.exit(0)
  }
  process.exit(main(process.argv.slice(2)))
}
