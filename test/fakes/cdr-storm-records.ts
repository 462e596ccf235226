/**
 * The calls of a storm: of ten, three of a flash-call campaign, two of a wangiri campaign, one with its clock two hours
 * ahead, four of twenty busy people. They have just ended. Numbers are those that nobody has.
 */
import type { Random } from '../../src/simulator/seeded-random.ts'

export const lureNumber = '21610195460'
const flashRange = '4477009'
/** The clock of its switch is two hours ahead. */
export const aheadNumber = '12025550199'
export const busyNumbers: readonly string[] = Array.from({ length: 20 }, (_, index) => `120255501${10 + index}`)
const aheadUs = 7_200_000_000

export function stormRecord(n: number, id: string, random: Random): Record<string, unknown> {
  const digits = (count: number): string => String(Math.floor(random() * 10 ** count)).padStart(count, '0')
  const endUs = Date.now() * 1000 - Math.floor(random() * 2_000_000)
  const kind = n % 10
  if (kind < 3) {
    const parties = { from: flashRange + digits(5), to: `1202555${digits(4)}`, ingress: 'transit-a', egress: 'home' }
    return rung(id, parties, endUs, 1400)
  }
  if (kind < 5) {
    const to = `1202556${String(Math.floor(n / 5) % 10_000).padStart(4, '0')}`
    return rung(id, { from: lureNumber, to, ingress: 'transit-b', egress: 'home' }, endUs, 2200)
  }
  const parties = { from: aheadNumber, to: `44207946${digits(4)}`, ingress: 'home', egress: 'transit-c' }
  if (kind === 5) return rung(id, parties, endUs + aheadUs, 9000)
  const talkUs = 20_000_000 + Math.floor(random() * 60_000_000)
  const from = busyNumbers[Math.floor(random() * busyNumbers.length)]
  const answered = { ...rung(id, parties, endUs - talkUs, 8000), from, answerUs: endUs - talkUs, endUs }
  return { ...answered, causeQ850: 16, causeSip: 200 }
}

/** Rang for so long, then the caller gave up. */
function rung(id: string, parties: object, endUs: number, ringMs: number): Record<string, unknown> {
  const ringUs = endUs - ringMs * 1000
  const times = { startUs: ringUs - 1_000_000, ringUs, answerUs: null, endUs }
  return { id, callId: id, ...times, ...parties, causeQ850: 16, causeSip: 487, releasedBy: 'caller' }
}
