/**
 * Everything that the main thread and the fraud worker say to one another, besides the beat in shared memory. Life of a
 * worker: started with a `FraudStart` it answers `ready`; `begin` gives it the cases that live; then rows come, one
 * message in flight, each answered by `done`. Rows are `muted` while they only rebuild windows: nothing is told of
 * them, and the first message that is not tells what differs from the cases of `begin`. A message that is not in these
 * unions is a bug and kills who receives it.
 */
import type { CdrConfig } from '../config/schema.ts'
import type { CaseChange, CaseSeed, Verdict } from '../decisions/cases.ts'
import type { FlashScored } from './flash-scoring.ts'

/** Folders of versions: what judges flash calls (null: the rule), and what is tried beside it. */
export interface FlashCallFolders {
  readonly active: string | null
  readonly candidate: string | null
  /** Share of one core that the candidate may take. */
  readonly cpuShareMax: number
}

/** `workerData` of the fraud worker. */
export interface FraudStart {
  readonly cdr: CdrConfig
  /** Undefined: the active model of the package's registry, nothing beside it. */
  readonly flashCall?: FlashCallFolders | undefined
  /** Tells neighbours where numbers have tokens; null: they are in clear. */
  readonly placeKey: Uint8Array | null
  /** One word; the worker counts it up while it is alive. */
  readonly beat: SharedArrayBuffer
  /** Accept `fault` messages: for tests of what happens then. */
  readonly faults: boolean
}

/** A case that a person ended: its subject opens no other of the kind up to this event time; 0: it may. */
export interface Quiet {
  readonly seed: CaseSeed
  readonly untilMs: number
}

/** Entries of the log, one after the other. */
export interface FraudRows {
  readonly bytes: Uint8Array
  /** Where each entry ends in `bytes`. */
  readonly ends: readonly number[]
  /** One past the last entry's sequence number. */
  readonly toSeq: number
  readonly muted: boolean
}

export type ToFraud =
  | { readonly kind: 'begin'; readonly seeds: readonly CaseSeed[]; readonly quiet: readonly Quiet[] }
  | ({ readonly kind: 'rows' } & FraudRows)
  /** A person decided. `restore` puts a case back that was ended. */
  | {
      readonly kind: 'decided'
      readonly id: string
      readonly verdict: Verdict | null
      readonly quiet: Quiet
      readonly ends: boolean
      readonly restore: CaseSeed | null
    }
  | { readonly kind: 'ask'; readonly id: number; readonly question: FraudQuestion }
  /** From the next look on; the folder was loaded by a question before. */
  | { readonly kind: 'useModel'; readonly dir: string }
  | { readonly kind: 'stop' }
  | { readonly kind: 'fault'; readonly fault: 'throw' | 'hang' }

export type FraudQuestion =
  | { readonly of: 'number'; readonly digits: string }
  | { readonly of: 'score'; readonly body: Uint8Array; readonly format: 'json' | 'ndjson' }
  /** Loads a version for `useModel`; answers its label. */
  | { readonly of: 'model'; readonly dir: string }
  /** Puts a version beside the active one, or none. */
  | { readonly of: 'candidate'; readonly dir: string | null }

export type FromFraud =
  | { readonly kind: 'ready'; readonly scorer: string }
  | ({ readonly kind: 'done' } & FraudDone)
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown; readonly problem: string | null }

export interface CaseTold {
  readonly change: CaseChange
  readonly seed: CaseSeed
}

/** Increments since the last `done`, but `keys` and `held`, which are as of now. */
export interface FraudCounts {
  readonly calls: number
  readonly late: number
  readonly ahead: number
  readonly unreadable: number
  readonly keysEvicted: number
  readonly casesRefused: number
  readonly keys: number
  readonly held: number
}

export interface FraudDone {
  /** Entries before it are wholly judged: none of their calls waits. */
  readonly doneSeq: number
  readonly changes: readonly CaseTold[]
  /** Chunks of rows for `cdr_scores`, as the log takes them. */
  readonly scores: readonly Uint8Array[]
  readonly scoreRows: number
  readonly counts: FraudCounts
  readonly flashCall: FlashScored
  readonly busyMs: number
  /** Something waits for time to pass: calls that are held, changes not told yet. */
  readonly waits: boolean
}

/** The windows of a number as caller, by their length. */
export type NumberWindows = Readonly<Record<'1m' | '10m' | '1h' | '24h', WindowCounts>>

export interface WindowCounts {
  readonly attempts: number
  readonly answered: number
  readonly unanswered: number
  readonly short: number
  readonly blink: number
  readonly talkSeconds: number
  /** About so many different numbers were called. */
  readonly called: number
}
