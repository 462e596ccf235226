/**
 * What a call costs: its windows alone, the whole judgement (windows, rules, cases), and what a key takes in memory, on
 * mixed traffic: busy and rare numbers, 40 routes, one flash-call campaign in a hundred calls.
 */
import { loadConfig } from '../src/config/load.ts'
import { FraudDetector } from '../src/decisions/fraud-detector.ts'
import { callEventOf } from '../src/features/call-event.ts'
import { CallWindows } from '../src/features/call-windows.ts'
import { seededRandom } from '../src/simulator/seeded-random.ts'
import type { CdrRecord } from '../src/wire/cdr-record.ts'
import { medianCpuMs, rounded } from './cpu-time.ts'
import type { BenchmarkRow } from './row.ts'

const callsPerRound = 60_000
const random = seededRandom(1)

function digits(count: number): string {
  return String(Math.floor(random() * 10 ** count)).padStart(count, '0')
}

function record(n: number): CdrRecord {
  const flash = n % 100 === 0
  const answered = !flash && random() < 0.55
  const startUs = (1_767_600_000_000 + n * 400) * 1000
  const ringMs = Math.round(flash ? 1400 : 3000 + random() * 20_000)
  const talkMs = answered ? Math.round(Math.exp(3.9 + 1.4 * (random() + random() - 1)) * 1000) : 0
  const from = flash ? `4477009${digits(5)}` : random() < 0.2 ? `49301110${n % 50}0` : `33${digits(9)}`
  const to = `4915${digits(8)}`
  const overUs = startUs + ringMs * 1000
  return {
    id: `bench:${n}:a:call`,
    source: 'bench',
    callId: String(n),
    leg: 'a',
    kind: 'call',
    startUs,
    ringUs: startUs,
    answerUs: answered ? overUs : null,
    endUs: overUs + talkMs * 1000,
    from,
    fromRaw: from,
    fromValid: true,
    to,
    toRaw: to,
    toValid: true,
    ingress: `trunk-${n % 40}`,
    egress: undefined,
    causeQ850: 16,
    causeSip: undefined,
    causeRaw: undefined,
    releasedBy: 'caller',
    ringMs,
    talkMs,
    isAttempt: true,
    attributes: {},
    flags: undefined,
  }
}

export async function run(): Promise<BenchmarkRow[]> {
  const config = loadConfig({ file: undefined, env: {} }).cdr
  const records = Array.from({ length: callsPerRound }, (_, n) => record(n)).sort(
    (a, b) => (a.endUs ?? 0) - (b.endUs ?? 0),
  )
  const events = records.map(callEventOf)
  let bytesPerKey = 0
  const windowsMs = await medianCpuMs(
    () => {
      const windows = new CallWindows({ ...config.keys, recentCallsMax: config.windows.recentCallsMax })
      for (const event of events) windows.observe(event)
      bytesPerKey = windows.liveBytes / windows.keys
    },
    5,
    1,
  )
  const judgedMs = await medianCpuMs(
    async () => {
      let ids = 0
      const detector = new FraudDetector({ config, newCaseId: () => String(++ids), onCase: () => undefined })
      for (const each of records) detector.record(each)
      await detector.flush()
    },
    5,
    1,
  )
  const baseline = { name: 'Map of counters for the same seven keys', value: rounded(await mapUs(events)) }
  return [
    {
      name: 'call windows, update per call',
      value: rounded((windowsMs * 1000) / callsPerRound),
      unit: 'us CPU',
      baseline,
    },
    {
      name: 'call judged: order, windows, rules, cases',
      value: rounded((judgedMs * 1000) / callsPerRound),
      unit: 'us CPU',
      budget: { must: 25, aim: 10 },
    },
    { name: 'memory per key', value: rounded(bytesPerKey), unit: 'bytes', budget: { must: 1536, aim: 717 } },
  ]
}

/** One count per key and no window at all: what anybody's first version costs. */
async function mapUs(events: readonly ReturnType<typeof callEventOf>[]): Promise<number> {
  const ms = await medianCpuMs(
    () => {
      const counts = new Map<string, number>()
      const add = (key: string) => counts.set(key, (counts.get(key) ?? 0) + 1)
      for (const { from, to, route } of events) {
        add(`a${from}`)
        add(`b${to}`)
        for (let off = 3; off <= 5; off++) add(`r${off}${from.slice(0, -off)}`)
        add(`t${route}`)
        add(`d${route}>${to.slice(0, 5)}`)
      }
    },
    5,
    1,
  )
  return (ms * 1000) / events.length
}
