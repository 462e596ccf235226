/**
 * The tables that rows are written to: column names, types and their order, in one place. A test holds this against
 * the schema that the migrations make. Tables `cdrs` and `cdr_scores` are not among them: their rows are made as bytes
 * by the door for call records (wire/cdr-row.ts) and by the fraud worker (wire/cdr-score-row.ts). `rowOf` turns named
 * values into the order of a row, checked by the compiler. Pure.
 */

/** ClickHouse types in use; `Time` is DateTime64(3, 'UTC'), `Word` a LowCardinality(String). */
export type ColumnType = 'String' | 'Word' | 'UInt8' | 'UInt16' | 'UInt32' | 'UInt64' | 'Float32' | 'Time'

export const tables = {
  calls: {
    call_sid: 'String',
    track: 'Word',
    account_sid: 'Word',
    stream_sid: 'String',
    run_id: 'Word',
    from_number: 'String',
    to_number: 'String',
    direction: 'Word',
    stir_verstat: 'Word',
    state: 'Word',
    started_at: 'Time',
    ended_at: 'Time',
    end_reason: 'Word',
    label: 'Word',
    score: 'Float32',
    has_score: 'UInt8',
    confidence: 'Float32',
    provisional: 'UInt8',
    net_speech_ms: 'UInt32',
    audio_ms: 'UInt32',
    gap_ms: 'UInt32',
    lost_ms: 'UInt32',
    duplicates: 'UInt32',
    reasons_json: 'String',
    gaps_json: 'String',
    model: 'Word',
    version: 'UInt64',
    signals_json: 'String',
  },
  voice_windows: {
    call_sid: 'String',
    track: 'Word',
    started_at: 'Time',
    hop_start_ms: 'UInt32',
    start_ms: 'UInt32',
    end_ms: 'UInt32',
    score: 'Float32',
    has_score: 'UInt8',
    llr: 'Float32',
    flags: 'UInt16',
    speech_ms: 'UInt32',
    filled_ms: 'UInt32',
    lost_ms: 'UInt32',
    label: 'Word',
    model: 'Word',
    scored_at: 'Time',
  },
  actions: {
    id: 'String',
    call_sid: 'String',
    account_sid: 'Word',
    track: 'Word',
    run_id: 'Word',
    rule: 'Word',
    action: 'Word',
    note: 'String',
    shadow: 'UInt8',
    state: 'Word',
    decided_at: 'Time',
    label: 'Word',
    score: 'Float32',
    has_score: 'UInt8',
    confidence: 'Float32',
    risk: 'Float32',
    model: 'Word',
    model_sha256: 'Word',
    latency_ms: 'Float32',
    has_latency: 'UInt8',
    result_code: 'Word',
    result_text: 'String',
    undone_at: 'Time',
    undone_by: 'String',
    evidence_json: 'String',
    version: 'UInt64',
  },
  audit: {
    at: 'Time',
    actor: 'String',
    role: 'Word',
    action: 'Word',
    subject: 'String',
    result: 'Word',
    remote: 'String',
    detail: 'String',
    chain: 'Word',
    seq: 'UInt64',
    prev_hash: 'String',
    hash: 'String',
  },
  cases: {
    id: 'String',
    kind: 'Word',
    subject_type: 'Word',
    subject_value: 'String',
    state: 'Word',
    verdict: 'Word',
    score: 'Float32',
    severity: 'Float32',
    calls: 'UInt64',
    reasons_json: 'String',
    evidence_json: 'String',
    first_seen_at: 'Time',
    opened_at: 'Time',
    last_seen_at: 'Time',
    merged_into: 'String',
    absorbed: 'UInt32',
    decided_by: 'String',
    decided_at: 'Time',
    note: 'String',
    version: 'UInt64',
    features_json: 'String',
  },
  shadow_scores: {
    name: 'Word',
    active: 'Word',
    candidate: 'Word',
    call_sid: 'String',
    track: 'Word',
    subject: 'Word',
    hop_start_ms: 'UInt32',
    hop_end_ms: 'UInt32',
    active_score: 'Float32',
    candidate_score: 'Float32',
    scored_at: 'Time',
  },
  source_quality: {
    hour: 'Time',
    source: 'Word',
    defect: 'Word',
    count: 'UInt64',
  },
  source_quality_examples: {
    at: 'Time',
    source: 'Word',
    defect: 'Word',
    record: 'String',
    detail: 'String',
  },
  erasures: {
    id: 'String',
    at: 'Time',
    number_hash: 'String',
    asked_by: 'String',
    rows_found: 'UInt64',
    entries_found: 'UInt64',
    report_json: 'String',
  },
} as const satisfies Record<string, Record<string, ColumnType>>

export type TableName = keyof typeof tables

/** What a program hands over for a column. Times are ms since the epoch; flags may be booleans. */
type ValueOf<T extends ColumnType> = T extends 'String' | 'Word'
  ? string
  : T extends 'UInt8'
    ? number | boolean
    : T extends 'UInt64'
      ? number | bigint
      : T extends 'Time'
        ? number | Date
        : number

export type RowValues<T extends TableName> = {
  readonly [C in keyof (typeof tables)[T]]: (typeof tables)[T][C] extends ColumnType
    ? ValueOf<(typeof tables)[T][C]>
    : never
}

export const tableNames = Object.keys(tables) as TableName[]

const columnNames = new Map<TableName, readonly string[]>(tableNames.map((name) => [name, Object.keys(tables[name])]))

export function columnsOf(table: TableName): readonly string[] {
  return columnNames.get(table) ?? []
}

export function columnTypesOf(table: TableName): readonly ColumnType[] {
  return Object.values(tables[table])
}

/** Named values in the order of the table's columns, for `RowWriter.write`. */
export function rowOf<T extends TableName>(table: T, values: RowValues<T>): readonly unknown[] {
  const named = values as Readonly<Record<string, unknown>>
  return columnsOf(table).map((column) => named[column])
}
