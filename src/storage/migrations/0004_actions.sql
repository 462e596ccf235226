-- What the policy did to calls, or would have done in shadow, with the evidence it rests on. A row is written anew when its
-- state changes; the largest version stays. No phone number and no audio stands here.

CREATE TABLE IF NOT EXISTS actions
(
    id String,
    call_sid String,
    account_sid LowCardinality(String),
    track LowCardinality(String),
    run_id LowCardinality(String),
    rule LowCardinality(String),
    action LowCardinality(String) COMMENT 'observe | notify | annotate | secondOpinion | redirect | hangup',
    note String COMMENT 'what an annotation says',
    shadow UInt8,
    state LowCardinality(String) COMMENT 'planned | done | failed | shadow | withheld | superseded | undone',
    decided_at DateTime64(3, 'UTC'),
    label LowCardinality(String),
    score Float32,
    has_score UInt8,
    confidence Float32,
    risk Float32 COMMENT 'voice joined with signalling, 0..1',
    model LowCardinality(String),
    model_sha256 LowCardinality(String),
    latency_ms Float32 COMMENT 'from verdict to request',
    has_latency UInt8,
    result_code LowCardinality(String),
    result_text String,
    undone_at DateTime64(3, 'UTC') COMMENT 'epoch 0: not undone',
    undone_by String,
    evidence_json String CODEC(ZSTD(3)),
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(decided_at)
ORDER BY (call_sid, decided_at, id)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
