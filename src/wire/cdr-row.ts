/**
 * A canonical CDR as one row of table `cdrs`: JSONCompactEachRow text that is written to the durable log, read back
 * from it for dedup and windows, and inserted into ClickHouse, byte by byte the same. Unknown is 0, -1 or empty, as
 * the columns say; reading a row gives the record back exactly. Any thread.
 *
 * Example (one line):
 *   ["pbx:7f0c:a:call","pbx","7f0c","a","call",1767225600000000,0,0,1767225603000000,"12025550123","+1 202 555 0123",1,
 *    "442079460123","442079460123",1,"carrier-a","",16,487,"","caller",3000,0,1,{"trunk":"7"},["from_short"],
 *    1767225603500,0]\n
 */
import type { CdrFlag, CdrRecord, ReleaseParty } from './cdr-record.ts'

/** Columns in the order of a row. Times of the call are us, `received_at` is ms, both since the epoch. */
export const cdrColumns = [
  'id',
  'source',
  'call_id',
  'leg',
  'kind',
  'start_at',
  'ring_at', // 0: unknown
  'answer_at', // 0: never answered
  'end_at', // 0: unknown
  'from_number',
  'from_raw',
  'from_valid',
  'to_number',
  'to_raw',
  'to_valid',
  'ingress',
  'egress',
  'cause_q850', // 0: unknown
  'cause_sip', // 0: unknown
  'cause_raw',
  'released_by',
  'ring_ms', // -1: unknown
  'talk_ms', // -1: unknown
  'is_attempt',
  'attributes',
  'flags',
  'received_at',
  'backfill', // 1: older than the memory of ids, a first copy may have been stored before
] as const

/** As the chunks of the log name them. */
export const cdrColumnNames = cdrColumns.join(',')

/** One line with its newline. */
export function encodeCdrRow(record: CdrRecord, receivedMs: number, backfill: boolean): string {
  const line = JSON.stringify([
    record.id,
    record.source,
    record.callId,
    record.leg,
    record.kind,
    record.startUs,
    record.ringUs ?? 0,
    record.answerUs ?? 0,
    record.endUs ?? 0,
    record.from ?? '',
    record.fromRaw,
    record.fromValid ? 1 : 0,
    record.to ?? '',
    record.toRaw,
    record.toValid ? 1 : 0,
    record.ingress ?? '',
    record.egress ?? '',
    record.causeQ850 ?? 0,
    record.causeSip ?? 0,
    record.causeRaw ?? '',
    record.releasedBy,
    record.ringMs ?? -1,
    record.talkMs ?? -1,
    record.isAttempt ? 1 : 0,
    record.attributes,
    record.flags ?? [],
    receivedMs,
    backfill ? 1 : 0,
  ])
  // Half a surrogate pair is not text: ClickHouse refuses it, so it becomes U+FFFD as in any UTF-8 encoder.
  return line.includes('\\ud') ? `${wellFormed(line)}\n` : `${line}\n`
}

function wellFormed(line: string): string {
  return JSON.stringify(JSON.parse(line), (_, value: unknown) =>
    typeof value === 'string' ? Buffer.from(value, 'utf8').toString('utf8') : value,
  )
}

type Row = readonly [
  id: string,
  source: string,
  callId: string,
  leg: string,
  kind: string,
  startUs: number,
  ringUs: number,
  answerUs: number,
  endUs: number,
  from: string,
  fromRaw: string,
  fromValid: number,
  to: string,
  toRaw: string,
  toValid: number,
  ingress: string,
  egress: string,
  causeQ850: number,
  causeSip: number,
  causeRaw: string,
  releasedBy: ReleaseParty,
  ringMs: number,
  talkMs: number,
  isAttempt: number,
  attributes: Record<string, string>,
  flags: CdrFlag[],
  receivedMs: number,
  backfill: number,
]

export interface StoredCdr {
  readonly record: CdrRecord
  readonly receivedMs: number
}

/** The record of a line that `encodeCdrRow` wrote. */
export function decodeCdrRow(line: string): StoredCdr {
  const row = JSON.parse(line) as Row
  const record: CdrRecord = {
    id: row[0],
    source: row[1],
    callId: row[2],
    leg: row[3],
    kind: row[4],
    startUs: row[5],
    ringUs: row[6] || undefined,
    answerUs: row[7] || null,
    endUs: row[8] || undefined,
    from: row[9] || undefined,
    fromRaw: row[10],
    fromValid: row[11] === 1,
    to: row[12] || undefined,
    toRaw: row[13],
    toValid: row[14] === 1,
    ingress: row[15] || undefined,
    egress: row[16] || undefined,
    causeQ850: row[17] || undefined,
    causeSip: row[18] || undefined,
    causeRaw: row[19] || undefined,
    releasedBy: row[20],
    ringMs: row[21] < 0 ? undefined : row[21],
    talkMs: row[22] < 0 ? undefined : row[22],
    isAttempt: row[23] === 1,
    attributes: row[24],
    flags: row[25].length === 0 ? undefined : row[25],
  }
  return { record, receivedMs: row[26] }
}

/**
 * What makes the record of a line the same as another: id, source, leg and kind, as they stand in the line. The key
 * of table `cdrs` has the same four.
 */
export function keyOfRow(line: string): string {
  const sourceEnd = textEnd(line, textEnd(line, 1) + 1)
  const callIdEnd = textEnd(line, sourceEnd + 1)
  const kindEnd = textEnd(line, textEnd(line, callIdEnd + 1) + 1)
  return line.slice(1, sourceEnd) + line.slice(callIdEnd, kindEnd)
}

/** One past the closing quote of the text that begins at `start`. */
function textEnd(line: string, start: number): number {
  let at = start + 1
  while (at < line.length && line.charCodeAt(at) !== 0x22) at += line.charCodeAt(at) === 0x5c ? 2 : 1
  return at + 1
}

/** The time of arrival of a line, ms: it stands second from the end. */
export function receivedMsOfRow(line: string): number {
  const end = line.lastIndexOf(',')
  return Number(line.slice(line.lastIndexOf(',', end - 1) + 1, end))
}
