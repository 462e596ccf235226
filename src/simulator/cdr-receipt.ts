/**
 * What passes between a sender of CDRs and a server whatever the door: batches and receipts, questions and decisions,
 * and how long a sender tries. Any thread.
 */

/** What the server says of a batch. */
export interface Receipt {
  readonly accepted: number
  readonly duplicates: number
  readonly rejected: number
}

/** Asked before a call is set up. */
export interface Question {
  readonly from: string
  readonly to: string
  readonly route?: string | undefined
}

export interface CdrDoor {
  /** Batches that may wait for their answer at a time. */
  readonly windowMax: number
  /** Batches that were sent again. */
  readonly resent: number
  /** Connections that broke and were made again. */
  readonly reconnects: number
  /**
   * Lines of JSON. Resolves when the server has answered for the batch. @throws OperatingError when it never will
   */
  send(lines: readonly string[]): Promise<Receipt>
  /** The action that the server decides on. @throws OperatingError when it does not answer */
  ask(question: Question): Promise<string>
  close(): void
}

/** How messages of a WebSocket are written; the first is what is used unless told otherwise. */
export const cdrEncodings = ['msgpack', 'json'] as const
export type CdrEncoding = (typeof cdrEncodings)[number]

/** Tries in a row before a server is given up. */
export const triesMax = 20
export const answerTimeoutMs = 30_000

export function receiptOf(answer: unknown): Receipt {
  const { accepted, duplicates, rejected } = (answer ?? {}) as Readonly<Record<string, unknown>>
  const count = (value: unknown) => (Array.isArray(value) ? value.length : Number(value ?? 0))
  return { accepted: count(accepted), duplicates: count(duplicates), rejected: count(rejected) }
}

export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
