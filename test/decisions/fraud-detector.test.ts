/**
 * Each kind of fraud as a small scenario that must become one case, and each look-alike as one that must become none.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { loadConfig } from '../../src/config/load.ts'
import { subjectKey } from '../../src/decisions/case-subjects.ts'
import type { CaseListener, FraudCase } from '../../src/decisions/cases.ts'
import { FraudDetector } from '../../src/decisions/fraud-detector.ts'
import type { CallEvent } from '../../src/features/call-event.ts'
import type { CdrRecord } from '../../src/wire/cdr-record.ts'
import { call } from '../fakes/call-events.ts'
import { playTraffic } from '../fakes/cdr-run.ts'

const config = loadConfig({ file: undefined, env: {} }).cdr

/** Cuts: how many records go in before the detector goes on, over and over. */
async function run(
  records: readonly CdrRecord[],
  cuts: readonly number[],
  listener: { onCase?: CaseListener; onCall?: (event: CallEvent, cases: readonly FraudCase[]) => void },
  reorder = { latenessMs: Number.POSITIVE_INFINITY, heldMax: 100_000 },
): Promise<FraudDetector> {
  let ids = 0
  const { onCase = () => undefined, onCall = () => undefined } = listener
  const detector = new FraudDetector({ config, reorder, newCaseId: () => `case-${++ids}`, onCase, onCall })
  let batch = 0
  let left = cuts[0] ?? records.length
  for (const record of records) {
    detector.record(record)
    if (--left > 0) continue
    await detector.advance()
    left = cuts[++batch % cuts.length] ?? records.length
  }
  await detector.flush()
  return detector
}

async function casesOf(records: readonly CdrRecord[]): Promise<FraudCase[]> {
  const found: FraudCase[] = []
  await run(records, [], {
    onCase: (change, it) => {
      if (change === 'opened') found.push(it)
    },
  })
  return found.filter((each) => each.state !== 'merged')
}

async function told(records: readonly CdrRecord[]): Promise<string[]> {
  return (await casesOf(records)).map((each) => `${each.kind} ${subjectKey(each.subject)}`)
}

/** n-th of a spread of numbers: no two alike, no order to be seen. */
function spread(n: number, digits: number): string {
  return String((n * 7919 + 104_729) % 10 ** digits).padStart(digits, '0')
}

function many(count: number, of: (n: number) => CdrRecord): CdrRecord[] {
  return Array.from({ length: count }, (_, n) => of(n))
}

/** A route's own hours: calls of all lengths, from everywhere to everywhere, `perHour` of them. */
function usualTraffic(hours: number, perHour: number, route = 'trunk-a'): CdrRecord[] {
  return many(hours * perHour, (n) => {
    const atS = (n / perHour) * 3600
    const talkS = [2, 40, 95, 200, 12, 600, 33][n % 7]!
    const numbers = { from: `33${spread(n, 9)}`, to: `4915${spread(n * 3 + 1, 8)}`, atS, route }
    if (n % 2 === 0) return call({ ...numbers, ringS: 9, talkS })
    return call({ ...numbers, ringS: 20 + (n % 9), releasedBy: 'network' })
  })
}

describe('the detector opens one case for', () => {
  it('flash calls from a range whose last digits carry the code, with reasons in numbers and evidence', async () => {
    const calls = many(120, (n) =>
      call({ from: `44770090${spread(n, 4)}`, to: `4915${spread(n, 8)}`, atS: n * 4, ringS: 1.4 + (n % 3) * 0.1 }),
    )
    const [found, ...others] = await casesOf(calls)
    assert.deepEqual(others, [])
    assert.equal(found?.kind, 'flash_call')
    assert.match(subjectKey(found.subject), /^range:4477009|^route_destination:trunk-a>4915/)
    assert.ok(found.score > 0.9)
    assert.ok(found.reasons.every((reason) => /\d/.test(reason.text)))
    const ids = new Set(calls.map((each) => each.id))
    assert.ok(found.evidence.length >= 10 && found.evidence.length <= 20 && found.evidence.every((id) => ids.has(id)))
    assert.ok(found.firstSeenMs < found.openedMs && found.openedMs < found.lastSeenMs)
  })

  it('flash calls of one-time numbers over thousands of prefixes, seen on their route', async () => {
    const calls = many(200, (n) =>
      call({
        from: `${[44, 33, 39, 34, 31][n % 5]}${spread(n, 9)}`,
        to: `4915${spread(n * 3, 8)}`,
        atS: n * 3,
        ringS: 1.2,
      }),
    )
    const found = await told(calls)
    assert.equal(found.length, 1)
    assert.match(found[0]!, /^flash_call route/)
  })

  it('flash calls among the usual traffic of a route', async () => {
    const campaign = many(80, (n) =>
      call({ from: `44770${spread(n, 7)}`, to: `34612${spread(n, 6)}`, atS: 5 * 3600 + n * 20, ringS: 1.5 }),
    )
    const found = await told([...usualTraffic(7, 150), ...campaign])
    assert.deepEqual([...new Set(found.map((each) => each.split(' ')[0]))], ['flash_call'])
  })

  it('codes that are spoken: many numbers of a range, the same few seconds every time', async () => {
    const calls = many(90, (n) =>
      call({
        from: `44770090${spread(n, 4)}`,
        to: `4915${spread(n, 8)}`,
        atS: n * 6,
        ringS: 9,
        talkS: 14 + (n % 3) * 0.3,
      }),
    )
    assert.match((await told(calls)).join(), /^flash_call [^,]*$/)
  })

  it('wangiri: one ring to number after number', async () => {
    const calls = many(150, (n) =>
      call({ from: '2215550001', to: `4915112${30_000 + n}`, atS: n * 5, ringS: 3 + (n % 3) }),
    )
    assert.deepEqual(await told(calls), ['wangiri number:2215550001'])
  })

  it('wangiri by the people who call back', async () => {
    const lures = many(140, (n) => call({ from: '2215550001', to: `4915${spread(n, 8)}`, atS: n * 6, ringS: 4 }))
    const returned = many(5, (n) =>
      call({ from: `4915${spread(n * 9, 8)}`, to: '2215550001', atS: 300 + n * 60, ringS: 2, talkS: 120 }),
    )
    assert.deepEqual(await told([...lures, ...returned]), ['wangiri number:2215550001'])
  })

  it('toll fraud by a line that does not telephone otherwise: irsf', async () => {
    const calls = many(30, (n) =>
      call({ from: '4930123456', to: `25290012${spread(n, 3)}`, atS: n * 40, ringS: 5, talkS: 1500 }),
    )
    assert.deepEqual([...new Set((await told(calls)).map((each) => each.split(' ')[0]))], ['irsf'])
  })

  it('toll fraud by a company that telephones at home by day: pbx_hack', async () => {
    const byDay = many(40, (n) => call({ from: '4930123456', to: `4989${spread(n, 7)}`, atS: n * 600, talkS: 90 }))
    const byNight = many(30, (n) =>
      call({ from: '4930123456', to: `25290012${spread(n, 3)}`, atS: 30_000 + n * 40, ringS: 5, talkS: 1500 }),
    )
    assert.deepEqual(await told([...byDay, ...byNight]), ['pbx_hack number:4930123456'])
  })

  it('robocalls of one number', async () => {
    const calls = many(300, (n) => {
      const numbers = { from: '12025550123', to: `1303${spread(n, 7)}`, atS: n * 9 }
      return n % 6 === 0 ? call({ ...numbers, talkS: 9 }) : call({ ...numbers, ringS: 22, releasedBy: 'caller' })
    })
    assert.deepEqual(await told(calls), ['robocall number:12025550123'])
  })

  it('robocalls that change their number after a dozen calls, seen on their route', async () => {
    const calls = many(1200, (n) => {
      const from = `1${200 + (Math.floor(n / 12) % 700)}${spread(Math.floor(n / 12), 7)}`
      const numbers = { from, to: `1303${spread(n, 7)}`, atS: n * 5 }
      return n % 6 === 0 ? call({ ...numbers, talkS: 9 }) : call({ ...numbers, ringS: 22, releasedBy: 'caller' })
    })
    const found = await told(calls)
    assert.deepEqual([...new Set(found.map((each) => each.split(' ')[0]))], ['robocall'])
    assert.ok(found.length <= 2, found.join())
  })

  it('short answers of one-time numbers on a route', async () => {
    const burst = many(120, (n) =>
      call({
        from: `33${spread(n * 11, 9)}`,
        to: `2519112345${n % 30}`,
        atS: 4.2 * 3600 + n * 5,
        ringS: 1,
        talkS: 1 + (n % 2),
      }),
    )
    const found = await told([...usualTraffic(7, 120), ...burst])
    assert.equal(found.length, 1, found.join())
    assert.match(found[0]!, /^short_answer_burst (route|called)/)
  })

  it('numbers that cannot be, on a route that has few of them', async () => {
    const spoofed = many(200, (n) =>
      call({
        from: spread(n, 13),
        fromValid: false,
        to: `4915${spread(n, 8)}`,
        atS: 5 * 3600 + n * 9,
        ringS: 20,
        talkS: 60,
      }),
    )
    const found = await told([...usualTraffic(8, 120), ...spoofed])
    assert.deepEqual([...new Set(found.map((each) => each.split(' ')[0]))], ['cli_spoof'])
  })

  it('numbers of the called country on a route that brings calls from abroad', async () => {
    const spoofed = many(200, (n) =>
      call({ from: `4930${spread(n, 7)}`, to: `4915${spread(n * 5, 8)}`, atS: 5 * 3600 + n * 9, ringS: 20, talkS: 60 }),
    )
    const found = await told([...usualTraffic(8, 120), ...spoofed])
    assert.deepEqual([...new Set(found.map((each) => each.split(' ')[0]))], ['cli_spoof'])
  })

  it('a surge on a route that its own hours do not explain: anomaly', async () => {
    const surge = many(700, (n) =>
      call({
        from: `33${spread(n * 13, 9)}`,
        to: `4915${spread(n * 17, 8)}`,
        atS: 6 * 3600 + n,
        ringS: 9,
        talkS: [40, 200, 95][n % 3]!,
      }),
    )
    const found = await told([...usualTraffic(8, 120), ...surge])
    assert.deepEqual([...new Set(found.map((each) => each.split(' ')[0]))], ['anomaly'])
  })
})

describe('the detector opens no case for', () => {
  const nothing = async (records: readonly CdrRecord[]) => assert.deepEqual(await told(records), [])

  it('the usual traffic of a route', async () => {
    await nothing(usualTraffic(24, 150))
  })

  it('a call-centre dialler: ever new people, two in ten answer and talk', async () => {
    await nothing(
      many(600, (n) => {
        const numbers = { from: '4930111222', to: `4915${spread(n, 8)}`, atS: n * 12 }
        if (n % 5 === 0) return call({ ...numbers, talkS: 45 + (n % 70) })
        return call({ ...numbers, ringS: 18 + (n % 8), releasedBy: 'caller' })
      }),
    )
  })

  it('a school that notifies its parents: hundreds in ten minutes, most answer', async () => {
    await nothing(
      many(400, (n) => {
        const numbers = { from: '4930111333', to: `4930${spread(n, 7)}`, atS: n * 1.5 }
        if (n % 3 !== 0) return call({ ...numbers, talkS: 28 + (n % 4) })
        return call({ ...numbers, ringS: 25, releasedBy: 'network' })
      }),
    )
  })

  it('a taxi that rings once when it is there, and is rung back', async () => {
    await nothing(
      many(80, (n) =>
        n % 9 === 8
          ? call({ from: `4915${spread(n - 1, 8)}`, to: '4930111444', atS: n * 150, talkS: 25 })
          : call({ from: '4930111444', to: `4915${spread(n, 8)}`, atS: n * 150, ringS: 3 + (n % 5) }),
      ),
    )
  })

  it('a user agent that retries a failing call for half an hour', async () => {
    await nothing(
      many(2000, (n) =>
        call({ from: '4930111555', to: '49301115550', atS: n, ringS: 0, sip: 503, releasedBy: 'network' }),
      ),
    )
  })

  it('test calls: few numbers, answered and over', async () => {
    await nothing(
      many(120, (n) => call({ from: `493011166${n % 3}`, to: `49301117${n % 4}0`, atS: n * 60, ringS: 1, talkS: 2 })),
    )
  })

  it('a conference that dials out to forty people at once and lasts an hour', async () => {
    await nothing(
      many(40, (n) => call({ from: '4930111888', to: `49${spread(n * 31, 9)}`, atS: n, ringS: 9, talkS: 3000 + n })),
    )
  })
})

describe('the detector', () => {
  it('finds the same cases in whatever order the calls of a file stand', async () => {
    const calls = many(200, (n) =>
      call({ from: `44770090${spread(n, 4)}`, to: `4915${spread(n, 8)}`, atS: n * 4, ringS: 1.4 }),
    )
    const facts = async (records: readonly CdrRecord[]) =>
      (await casesOf(records)).map(({ kind, subject, calls: count, evidence }) => ({ kind, subject, count, evidence }))
    const shuffled = calls.map((each, n) => [Number(spread(n, 6)), each] as const).sort(([a], [b]) => a - b)
    assert.deepEqual(await facts(shuffled.map(([, each]) => each)), await facts(calls))
  })

  it('leaves other legs of a call out', async () => {
    const calls = many(120, (n) =>
      call({ from: `44770090${spread(n, 4)}`, to: `4915${spread(n, 8)}`, atS: n * 4, ringS: 1.4 }),
    )
    assert.deepEqual(await casesOf(calls.map((each) => ({ ...each, isAttempt: false }))), [])
  })

  it('cools a case, closes it, and opens another when it all begins again', async () => {
    const burst = (fromS: number) =>
      many(120, (n) =>
        call({ from: `44770090${spread(n, 4)}`, to: `4915${spread(n + fromS, 8)}`, atS: fromS + n * 4, ringS: 1.4 }),
      )
    const found = await casesOf([...burst(0), ...usualTraffic(9, 60, 'trunk-z'), ...burst(8 * 3600)])
    assert.deepEqual(
      found.map((each) => [each.kind, each.state]),
      [
        ['flash_call', 'closed'],
        ['flash_call', 'cooled'],
      ].slice(0, found.length),
    )
    assert.equal(found.length, 2)
  })

  it('says the same of every call and case however its input is cut into batches', async () => {
    const traffic = playTraffic({ attempts: 6000, seconds: 900, prevalence: { flash_call: 0.1, wangiri: 0.05 } }).map(
      ({ record }) => record,
    )
    const storyOf = async (cuts: readonly number[]): Promise<string> => {
      const lines: string[] = []
      const detector = await run(
        traffic,
        cuts,
        {
          onCase: (change, it) => lines.push(`${change} ${JSON.stringify(it)}`),
          onCall: ({ id }, cases) => lines.push(`${id} ${cases.map((each) => each.id).join()}`),
        },
        { latenessMs: 10_000, heldMax: 500 },
      )
      assert.ok(detector.events + detector.late + detector.notAttempts === traffic.length)
      return lines.join('\n')
    }
    const whole = await storyOf([])
    assert.match(whole, /^opened .*"flash_call"/m)
    const cuts = fc.array(fc.integer({ min: 1, max: 1500 }), { minLength: 1, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(cuts, async (sizes) => assert.ok((await storyOf(sizes)) === whole)),
      { numRuns: 12 },
    )
  })
})
