-- Call records, traffic per minute, and what was odd about records. The key of cdrs makes a record that comes again after
-- its id was forgotten one with the first: the copy that arrived first stays (arrival_rank). traffic_minutes counts what
-- is inserted, so records that may be such copies (backfill) are left out of it; reports add them from cdrs, merged.

CREATE TABLE IF NOT EXISTS cdrs
(
    id String,
    source LowCardinality(String),
    call_id String,
    leg LowCardinality(String),
    kind LowCardinality(String),
    start_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    ring_at DateTime64(6, 'UTC') COMMENT 'epoch 0: unknown',
    answer_at DateTime64(6, 'UTC') COMMENT 'epoch 0: never answered',
    end_at DateTime64(6, 'UTC') COMMENT 'epoch 0: unknown',
    from_number String COMMENT 'E.164 digits without +, or as dialled when not valid',
    from_raw String,
    from_valid UInt8,
    to_number String,
    to_raw String,
    to_valid UInt8,
    ingress LowCardinality(String),
    egress LowCardinality(String),
    cause_q850 UInt8 COMMENT '0: unknown',
    cause_sip UInt16 COMMENT '0: unknown',
    cause_raw LowCardinality(String),
    released_by LowCardinality(String) COMMENT 'caller | callee | network | unknown',
    ring_ms Int64 COMMENT '-1: unknown',
    talk_ms Int64 COMMENT '-1: unknown',
    is_attempt UInt8,
    attributes Map(String, String),
    flags Array(LowCardinality(String)),
    received_at DateTime64(3, 'UTC'),
    backfill UInt8 COMMENT 'older than the memory of ids: a first copy may stand already',
    answered UInt8 MATERIALIZED answer_at > toDateTime64(0, 6, 'UTC'),
    arrival_rank UInt64 MATERIALIZED toUInt64(9223372036854775807 - toUnixTimestamp64Milli(received_at)),
    INDEX from_bloom from_number TYPE bloom_filter GRANULARITY 4,
    INDEX to_bloom to_number TYPE bloom_filter GRANULARITY 4
)
ENGINE = ReplacingMergeTree(arrival_rank)
PARTITION BY toYYYYMM(start_at)
ORDER BY (toStartOfHour(start_at), source, id, leg, kind)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS traffic_minutes
(
    minute DateTime('UTC'),
    source LowCardinality(String),
    ingress LowCardinality(String),
    egress LowCardinality(String),
    attempts UInt64,
    answered UInt64,
    short UInt64 COMMENT 'answered, talked for 3 s or less',
    cancelled UInt64 COMMENT 'not answered, the caller gave up',
    busy UInt64 COMMENT 'not answered, Q.850 17 or SIP 486, 600',
    talk_ms UInt64
)
ENGINE = SummingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, source, ingress, egress)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS traffic_minutes_of_cdrs TO traffic_minutes AS
SELECT
    toStartOfMinute(toDateTime(start_at, 'UTC')) AS minute,
    source,
    ingress,
    egress,
    count() AS attempts,
    countIf(is_answered) AS answered,
    countIf(is_answered AND talk BETWEEN 0 AND 3000) AS short,
    countIf(NOT is_answered AND NOT is_busy AND gave_up) AS cancelled,
    countIf(NOT is_answered AND is_busy) AS busy,
    sumIf(toUInt64(greatest(talk, 0)), is_answered) AS talk_ms
FROM
(
    SELECT
        source,
        ingress,
        egress,
        start_at,
        talk_ms AS talk,
        answer_at > toDateTime64(0, 6, 'UTC') AS is_answered,
        cause_q850 = 17 OR cause_sip IN (486, 600) AS is_busy,
        released_by = 'caller' OR cause_sip = 487 AS gave_up
    FROM cdrs
    WHERE is_attempt AND NOT backfill
)
GROUP BY minute, source, ingress, egress;

CREATE TABLE IF NOT EXISTS source_quality
(
    hour DateTime64(3, 'UTC') COMMENT 'of arrival',
    source LowCardinality(String),
    defect LowCardinality(String) COMMENT 'records, duplicate, rejected:CODE, skipped:REASON, late, bad_utf8, ...',
    count UInt64
)
ENGINE = SummingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (hour, source, defect)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS source_quality_examples
(
    at DateTime64(3, 'UTC'),
    source LowCardinality(String),
    defect LowCardinality(String),
    record String COMMENT 'id of the record, or its place in the batch',
    detail String
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (source, defect, at)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
