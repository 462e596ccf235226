/** Names of the trunks of a simulated network, by group: subscribers, wholesale customers, carriers. Any thread. */
import type { Scenario } from './cdr-scenario.ts'

export interface Trunks {
  readonly access: readonly string[]
  readonly wholesale: readonly string[]
  readonly carrier: readonly string[]
}

export function trunksOf(counts: Scenario['trunks']): Trunks {
  const names = (group: string, count: number) =>
    Array.from({ length: count }, (_, index) => `${group}-${String(index + 1).padStart(2, '0')}`)
  return {
    access: names('access', counts.access),
    wholesale: names('wholesale', counts.wholesale),
    carrier: names('carrier', counts.carrier),
  }
}

/** The trunk of a group for any whole number. */
export function trunk(group: readonly string[], index: number): string {
  return group[Math.abs(Math.floor(index)) % group.length]!
}
