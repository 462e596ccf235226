/** The policy on live calls over fakes that remember what it asked of them. */
import assert from 'node:assert/strict'
import type { ActionOrder, ActionOutcome } from '../../src/actions/call-actions.ts'
import type { ActionsConfig, RuleConfig } from '../../src/config/actions-schema.ts'
import { loadConfig } from '../../src/config/load.ts'
import { ManualClock } from '../../src/core/clock.ts'
import { silentLog } from '../../src/core/log.ts'
import { zeroCounters } from '../../src/core/metrics.ts'
import type { ActionRecord } from '../../src/decisions/action-record.ts'
import type { CallerHistory, KnownCase } from '../../src/decisions/call-risk.ts'
import { LiveCalls, type LiveTrack } from '../../src/decisions/live-calls.ts'
import type { TrackName } from '../../src/ingest/track.ts'
import { EventBus } from '../../src/notify/event-bus.ts'
import { columnsOf } from '../../src/storage/tables.ts'
import { CallMemories } from '../../src/watch/call-memory.ts'
import { PolicyWatch } from '../../src/watch/policy-watch.ts'
import { MemoryLog } from './memory-log.ts'

const settings = {
  provisionalNetSpeechMs: 1500,
  firmNetSpeechMs: 4000,
  forgettingHalfLifeMs: 10_000,
  dwellMs: 1000,
  lossShareMax: 0.2,
  hysteresis: 0.05,
  synthetic: 0.9,
  human: 0.3,
  model: 'voice/test',
}

interface Event {
  readonly change: string
  readonly action: { readonly state: string; readonly rule: string }
}

interface Choices {
  readonly config?: Partial<ActionsConfig>
  readonly cases?: readonly KnownCase[]
  readonly history?: CallerHistory
  readonly past?: readonly ActionRecord[]
  readonly secondOpinion?: (track: LiveTrack) => boolean
  /** What the process before left: it was killed. */
  readonly former?: { readonly clock: ManualClock; readonly journal: MemoryLog; readonly lines: string[] }
}

/** The policy over fakes that remember what it asked of them. */
function watch({ config = {}, cases = [], history, past = [], secondOpinion = () => false, former }: Choices) {
  const clock = former?.clock ?? new ManualClock()
  const journal = former?.journal ?? new MemoryLog()
  const lines = former?.lines ?? []
  const marks = { read: () => [...lines], put: (line: string) => void lines.push(line), clear: () => lines.splice(0) }
  const counters = zeroCounters()
  const bus = new EventBus({ keepMax: 1000, firstId: 1, counters })
  const events: Event[] = []
  bus.subscribe(null, (event) => event.type === 'action' && events.push(event.data as Event))
  const rows: Record<string, unknown>[] = []
  const orders: ActionOrder[] = []
  const outcomes: ((outcome: ActionOutcome) => void)[] = []
  const cancelled: string[] = []
  const latencies: number[] = []
  let ids = 0
  const policy = new PolicyWatch({
    config: { ...loadConfig({ env: {} }).actions, shadow: false, ...config },
    settingsOf: () => ({ ...settings, modelSha256: 'ab'.repeat(32) }),
    signals: { caseFor: () => cases, historyOf: async () => history ?? null, forget: () => {} },
    actions: {
      open: 0,
      take: (order) => {
        orders.push(order)
        return new Promise((resolve) => outcomes.push(resolve))
      },
      cancel: (id) => {
        cancelled.push(id)
        return true
      },
    },
    memories: new CallMemories({ log: journal, marks, callsMax: config.callsRememberedMax ?? 100, clock }),
    secondOpinion,
    past: { of: async () => [...past] },
    bus,
    writer: {
      durable: async () => {},
      write: (table, row) => {
        assert.equal(table, 'actions')
        rows.push(Object.fromEntries(columnsOf('actions').map((column, at) => [column, row[at]])))
        return true
      },
    },
    runId: 'run-1',
    random: (bytes) => Buffer.alloc(bytes, ++ids),
    clock,
    log: silentLog,
    counters,
    latency: { observe: (seconds) => latencies.push(seconds) },
  })
  return { policy, clock, journal, lines, counters, bus, events, rows, orders, outcomes, cancelled, latencies }
}

export function house(choices: Choices = {}) {
  const all = watch(choices)
  const { policy, clock } = all
  const live = new LiveCalls()
  let trackIds = 0
  /** A detection begins. */
  const open = (callSid: string, track: TrackName = 'inbound', from = '+12025550123') => {
    const call = { callSid, accountSid: 'AC1', from, to: '+442079460123', direction: 'inbound', stirVerstat: '' }
    const facts = { trackId: ++trackIds, track, call, streamSid: `MZ${trackIds}`, startedAtMs: clock.wallMs() }
    return { track: live.open(facts, policy.opened(facts)), hops: 0 }
  }
  /** So many hops of 500 ms, each with clear evidence. */
  const speak = (opened: ReturnType<typeof open>, count: number, llr = 6) => {
    for (let hop = 0; hop < count; hop += 1) {
      const hopStartMs = opened.hops * 500
      opened.hops += 1
      clock.advance(500)
      const times = { windowStartMs: Math.max(0, hopStartMs - 3500), hopStartMs, hopEndMs: hopStartMs + 500 }
      const clean = { hopSpeechMs: 500, windowSpeechMs: 4000, flags: 0, filledMs: 0, lostMs: 0, duplicates: 0 }
      opened.track.verdict.observe({ trackId: trackIds, ...times, ...clean, llr, enteredMs: 0 }, clock.wallMs())
      policy.judged(opened.track, clock.steadyMs())
    }
  }
  const view = async (callSid: string) => {
    const { actions } = await policy.viewOf(callSid)
    return actions.map(({ rule, state }) => `${rule}:${state}`).join(' ')
  }
  return { ...all, open, speak, view, settled: () => new Promise((resolve) => setImmediate(resolve)) }
}

export function rule(name: string, what: RuleConfig['do'], over: Partial<RuleConfig> = {}): RuleConfig {
  return { name, when: { label: 'likely_synthetic' }, do: what, shadow: false, ...over }
}

// The policy that most tests ask about.
export const twiml = '<Response><Say>One moment.</Say></Response>'
export const back = '<Response><Dial>desk</Dial></Response>'
export const hangUp = rule('hang-up', 'hangup', { when: { label: 'likely_synthetic', dwellMs: 2000 } })
export const aside = rule('aside', { redirect: { twiml }, back: { twiml: back } })
export const done: ActionOutcome = { state: 'done', latencyMs: 4.26, result: null }
