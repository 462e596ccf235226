/**
 * An afternoon at a fraud desk: cases of every kind, one of them in full, two routes with traffic, a source with
 * defects.
 */

import type {
  CaseDetail,
  FraudAnswer,
  NumberView,
  QualityAnswer,
  TrafficAnswer,
} from '../../src/dashboard/fraud-shapes.ts'
import type { CaseView } from '../../src/decisions/case-view.ts'
import type { CaseKind } from '../../src/decisions/fraud-signal.ts'
import type { Traffic } from '../../src/storage/cdr-reports.ts'
import type { CdrView } from '../../src/storage/fraud-reports.ts'
import type { FraudDesk } from './fraud-desk.ts'

/** The clock of the fakes stands at 2026-01-01T00:00:00Z. */
export function ago(minutes: number): string {
  return new Date(Date.UTC(2026, 0, 1) - minutes * 60_000).toISOString()
}

export function fraudCase(id: string, over: Partial<CaseView> = {}): CaseView {
  const score = over.score ?? 0.94
  return {
    id,
    kind: 'flash_call',
    subject: { type: 'number', value: '447700900123' },
    state: 'open',
    verdict: null,
    score,
    severity: score,
    calls: 120,
    reasons: [{ code: 'blink', text: '118 of 120 attempts in 10 min ended before anybody could answer' }],
    evidence: [],
    firstSeenAt: ago(50),
    openedAt: ago(40),
    lastSeenAt: ago(2),
    mergedInto: null,
    absorbed: 0,
    action: { intended: 'label', effective: 'allow', shadow: true, expiresAt: ago(-58) },
    decidedBy: null,
    decidedAt: null,
    note: null,
    ...over,
  }
}

type Told = Pick<CaseView, 'subject' | 'score' | 'calls'> & { readonly why: string; readonly openedMin: number }

const told: Readonly<Record<CaseKind, Told>> = {
  flash_call: {
    subject: { type: 'range', value: '4477009001' },
    score: 0.97,
    calls: 1840,
    why: '1,795 of 1,840 attempts in 1 h ended before anybody could answer',
    openedMin: 52,
  },
  irsf: {
    subject: { type: 'route_destination', value: 'trunk-b>88213' },
    score: 0.95,
    calls: 64,
    why: '41 of 64 calls in 1 h lasted 10 min or more',
    openedMin: 31,
  },
  pbx_hack: {
    subject: { type: 'number', value: '12025550147' },
    score: 0.93,
    calls: 37,
    why: '29 long calls abroad in 24 h; none in the days before',
    openedMin: 125,
  },
  wangiri: {
    subject: { type: 'number', value: '447700900888' },
    score: 0.92,
    calls: 412,
    why: '412 numbers rung for 3.1 s on average, 96 % cancelled; 21 called back',
    openedMin: 18,
  },
  short_answer_burst: {
    subject: { type: 'route', value: 'trunk-a' },
    score: 0.88,
    calls: 233,
    why: '71 % of answered calls in 10 min were over within 3 s',
    openedMin: 9,
  },
  cli_spoof: {
    subject: { type: 'route', value: 'trunk-c' },
    score: 0.84,
    calls: 158,
    why: '158 calling numbers that cannot exist in 10 min, 12 times what is usual',
    openedMin: 44,
  },
  robocall: {
    subject: { type: 'number', value: '12025550102' },
    score: 0.78,
    calls: 905,
    why: '905 attempts in 1 h, 18 % answered, 9 s talk on average',
    openedMin: 240,
  },
  anomaly: {
    subject: { type: 'route', value: 'trunk-d' },
    score: 0.66,
    calls: 1210,
    why: '1,210 attempts in 1 h, usual is 170',
    openedMin: 27,
  },
}

const intended: Readonly<Record<CaseKind, CaseView['action']['intended']>> = {
  flash_call: 'label',
  wangiri: 'block',
  irsf: 'block',
  robocall: 'label',
  pbx_hack: 'block',
  cli_spoof: 'label',
  short_answer_burst: 'challenge',
  anomaly: 'allow',
}

/** One case of each kind, the worst first. */
export function storyCases(): CaseView[] {
  return (Object.keys(told) as CaseKind[]).map((kind) => {
    const { subject, score, calls, why, openedMin } = told[kind]
    return fraudCase(`case-${kind}`, {
      kind,
      subject,
      score,
      severity: score,
      calls,
      state: kind === 'robocall' ? 'cooled' : 'open',
      reasons: [{ code: 'why', text: why }],
      evidence: kind === 'flash_call' ? Array.from({ length: 12 }, (_, n) => cdr(n).id) : [],
      openedAt: ago(openedMin),
      firstSeenAt: ago(openedMin + 12),
      lastSeenAt: ago(kind === 'robocall' ? 45 : openedMin % 5),
      action: { intended: intended[kind], effective: 'allow', shadow: true, expiresAt: ago(-55) },
    })
  })
}

export function closedCases(): CaseView[] {
  const action = { intended: 'allow', effective: 'allow', shadow: true, expiresAt: null } as const
  return Array.from({ length: 30 }, (_, n) =>
    fraudCase(`closed-${String(n).padStart(2, '0')}`, {
      kind: n % 2 === 0 ? 'wangiri' : 'robocall',
      subject: { type: 'number', value: `4477009007${String(n).padStart(2, '0')}` },
      state: 'closed',
      verdict: n % 5 === 0 ? 'dismissed' : n % 5 === 1 ? 'confirmed' : null,
      score: 0.91 - n * 0.01,
      openedAt: ago(300 + n * 60),
      lastSeenAt: ago(280 + n * 60),
      action,
    }),
  )
}

export function cdr(n: number, over: Partial<CdrView> = {}): CdrView {
  return {
    id: `pbx:call-${n}:a:call`,
    source: 'freeswitch',
    startAt: ago(40 - n),
    from: `44770090012${n % 10}`,
    to: `1202555${String(120 + n).padStart(4, '0')}`,
    ingress: 'trunk-a',
    egress: 'trunk-b',
    answered: false,
    ringMs: 1200 + n * 37,
    talkMs: null,
    causeQ850: 16,
    causeSip: 487,
    releasedBy: 'caller',
    ...over,
  }
}

/** The case of flash calls on a range, in full. */
export function storyDetail(): Pick<CaseDetail, 'cdrs' | 'series' | 'scores'> {
  const points = Array.from({ length: 62 }, (_, n) => {
    const attempts = n < 10 ? n : Math.round(28 + 14 * Math.sin(n / 5) + (n % 7))
    const blink = Math.round(attempts * 0.96)
    return { at: ago(64 - n), attempts, answered: attempts - blink, unanswered: blink, short: 0, blink }
  })
  return {
    cdrs: Array.from({ length: 12 }, (_, n) => cdr(n, n === 7 ? { answered: true, talkMs: 2100, causeSip: null } : {})),
    series: { stepSeconds: 60, points },
    scores: { calls: 1690, actions: { label: 1655, allow: 35 } },
  }
}

export function storyNumber(number: string): NumberView {
  const window = (attempts: number) => {
    const answered = Math.round(attempts / 20)
    const unanswered = attempts - answered
    return { attempts, answered, unanswered, short: 0, blink: unanswered, talkSeconds: answered * 2, called: attempts }
  }
  return {
    number,
    cases: [fraudCase('case-number', { subject: { type: 'number', value: number } })],
    windows: { '1m': window(14), '10m': window(120), '1h': window(655), '24h': window(1320) },
    asCaller: { attempts: 1320, answered: 66, unanswered: 1254, short: 0, blink: 1254, others: 1301, talkMs: 138_600 },
    asCalled: { attempts: 3, answered: 3, unanswered: 0, short: 0, blink: 0, others: 2, talkMs: 183_000 },
    recent: Array.from({ length: 6 }, (_, n) => cdr(n, { from: number })),
  }
}

function traffic(attempts: number, asr: number): Traffic {
  const answered = Math.round(attempts * asr)
  const short = Math.round(answered * 0.08)
  return {
    attempts,
    answered,
    unanswered: attempts - answered,
    cancelled: Math.round(attempts * 0.2),
    busy: Math.round(attempts * 0.06),
    short,
    asr: attempts === 0 ? null : asr,
    acdMs: answered === 0 ? null : 92_000 + (attempts % 11) * 1900,
    shortShare: answered === 0 ? null : short / answered,
  }
}

const routes: readonly [string, string, number, number][] = [
  ['trunk-a', 'trunk-b', 42, 0.61],
  ['trunk-a', 'trunk-c', 23, 0.48],
  ['trunk-d', 'trunk-b', 9, 0.12],
]

/** Three routes; what is asked for of one is that one alone. */
export function storyTraffic(query: URLSearchParams): TrafficAnswer {
  const [fromMs, toMs, step] = [Number(query.get('from')), Number(query.get('to')), Number(query.get('step'))]
  const asked = routes.filter(([ingress, egress]) => {
    const [wantedIn, wantedOut] = [query.get('ingress'), query.get('egress')]
    return (wantedIn === null || wantedIn === ingress) && (wantedOut === null || wantedOut === egress)
  })
  const rate = asked.reduce((sum, [, , each]) => sum + each, 0)
  const asr = asked.reduce((sum, [, , each, share]) => sum + each * share, 0) / Math.max(1, rate)
  const points = []
  for (let ms = fromMs; ms < toMs; ms += step * 1000) {
    const wave = 1 + 0.4 * Math.sin(ms / 1_700_000) + 0.1 * Math.sin(ms / 91_000)
    points.push({ at: new Date(ms).toISOString(), ...traffic(Math.round(rate * wave), asr * (0.9 + 0.1 * wave)) })
  }
  return {
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
    stepSeconds: step,
    points,
    routes: asked.map(([ingress, egress, each, share]) => ({ ingress, egress, ...traffic(each * 60, share) })),
  }
}

export function storyQuality(): QualityAnswer {
  const example = { at: '2026-01-01 00:00:05.000', record: 'freeswitch:7f0c:a:call', detail: 'talkMs 0' }
  return {
    from: ago(1440),
    to: ago(0),
    sources: [
      {
        source: 'freeswitch',
        records: 91_240,
        duplicates: 112,
        rejected: 7,
        skipped: 0,
        defects: [
          { defect: 'released_by_unknown', count: 2410, examples: [] },
          { defect: 'answered_zero', count: 180, examples: [example] },
          { defect: 'duplicate', count: 112, examples: [] },
          {
            defect: 'rejected:field_missing',
            count: 7,
            examples: [{ at: '2026-01-01 00:00:09.000', record: '14', detail: 'to: variables.sip_to_user' }],
          },
        ],
      },
      { source: 'twilio', records: 530, duplicates: 0, rejected: 0, skipped: 0, defects: [] },
    ],
  }
}

export function storyReport(query: URLSearchParams): FraudAnswer {
  const [fromMs, toMs, step] = [Number(query.get('from')), Number(query.get('to')), Number(query.get('step'))]
  const points = Array.from({ length: 12 }, (_, n) => {
    const at = new Date(toMs - (24 - n) * step * 1000).toISOString()
    const actions = { allow: 4, label: 80 + n * 9, challenge: n * 3, divert: 0, block: 20 + n }
    return { at, opened: n % 3, calls: 104 + n * 13, actions }
  })
  const kinds = (Object.keys(told) as CaseKind[]).map((kind, n) => ({
    kind,
    opened: 9 - n,
    live: 1,
    confirmed: n % 3,
    dismissed: n % 2,
    calls: told[kind].calls,
  }))
  return { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString(), stepSeconds: step, points, kinds }
}

/** Puts all of it on the desk. */
export function fillDesk(desk: FraudDesk): void {
  desk.put(...storyCases(), ...closedCases())
  desk.details.set('case-flash_call', storyDetail())
  desk.numbers.set('447700900123', storyNumber('447700900123'))
  desk.traffic = storyTraffic
  desk.quality = storyQuality()
  desk.report = storyReport
}
