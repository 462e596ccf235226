/** Simulated telephone traffic, played to its end, for tests that look at what came out. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LabelledCdr } from '../../src/simulator/cdr-call.ts'
import { CdrTraffic, type TrafficOptions } from '../../src/simulator/cdr-traffic.ts'
import { lastingDirectory } from './scratch.ts'

type Tree = { readonly [key: string]: unknown }

export interface RunOptions extends Partial<Omit<TrafficOptions, 'file'>> {
  /** Laid over the shipped scenario. */
  readonly scenario?: Tree
}

/** Half an hour with 36 000 attempts of seed 1, unless told otherwise. */
export function playTraffic({ scenario, ...options }: RunOptions = {}): LabelledCdr[] {
  return withScenario(scenario, (file) => {
    const traffic = new CdrTraffic({ plan: 'train', seed: 1, attempts: 36_000, seconds: 1800, file, ...options })
    const all: LabelledCdr[] = []
    for (let cdr = traffic.next(); cdr !== undefined; cdr = traffic.next()) all.push(cdr)
    return all
  })
}

/** JSON is YAML. */
export function withScenario<T>(scenario: Tree | undefined, use: (file: string | undefined) => T): T {
  if (scenario === undefined) return use(undefined)
  const file = join(lastingDirectory(), 'scenario.yaml')
  writeFileSync(file, JSON.stringify(scenario))
  return use(file)
}

export function labelled(run: readonly LabelledCdr[], label: string): LabelledCdr[] {
  return run.filter(({ truth }) => truth.label === label)
}

/** Records of one campaign or class, by name; `dialler` means all of its episodes. */
export function ofCampaign(run: readonly LabelledCdr[], name: string): LabelledCdr[] {
  return run.filter(({ truth }) => truth.campaign === name || truth.campaign.startsWith(`${name}-`))
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

export function shareOf<T>(items: readonly T[], test: (item: T) => boolean): number {
  return items.filter(test).length / items.length
}

/** Shannon entropy in bits. */
export function entropyBits(values: readonly string[]): number {
  const counts = new Map<string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return -[...counts.values()].reduce((sum, n) => sum + (n / values.length) * Math.log2(n / values.length), 0)
}

export function near(value: number, expected: number, tolerance: number): boolean {
  return Math.abs(value - expected) <= tolerance
}

export function groupBy<T, Key>(items: readonly T[], keyOf: (item: T) => Key): Map<Key, T[]> {
  const groups = new Map<Key, T[]>()
  for (const item of items) {
    const group = groups.get(keyOf(item))
    if (group === undefined) groups.set(keyOf(item), [item])
    else group.push(item)
  }
  return groups
}
