-- Cases as they stand, one row each (the highest version stays), and what each call that fell under an open case was
-- worth: a call that is judged again after a crash has the same key and counts once.

CREATE TABLE IF NOT EXISTS cases
(
    id String,
    kind LowCardinality(String),
    subject_type LowCardinality(String),
    subject_value String,
    state LowCardinality(String) COMMENT 'open | cooled | closed | merged',
    verdict LowCardinality(String) COMMENT 'confirmed | dismissed, empty: nobody decided',
    score Float32,
    severity Float32,
    calls UInt64,
    reasons_json String,
    evidence_json String COMMENT 'ids of call records',
    first_seen_at DateTime64(3, 'UTC') COMMENT 'event time, as the two below',
    opened_at DateTime64(3, 'UTC'),
    last_seen_at DateTime64(3, 'UTC'),
    merged_into String,
    absorbed UInt32,
    decided_by String,
    decided_at DateTime64(3, 'UTC') COMMENT 'epoch 0: nobody decided',
    note String,
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(opened_at)
ORDER BY (id)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS cdr_scores
(
    id String COMMENT 'of the call record',
    source LowCardinality(String),
    start_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    case_id String,
    kind LowCardinality(String),
    score Float32,
    of_kind UInt8 COMMENT 'the call is one of those that the case is about',
    intended LowCardinality(String) COMMENT 'allow | label | challenge | divert | block',
    effective LowCardinality(String) COMMENT 'allow in shadow mode',
    scored_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(scored_at)
PARTITION BY toYYYYMM(start_at)
ORDER BY (toStartOfHour(start_at), case_id, source, id)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
