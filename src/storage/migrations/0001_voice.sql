-- Calls, their windows, and who did what. Settings repeated on every table:
-- non_replicated_deduplication_window: tokens remembered for retried inserts (default 0 = off);
-- fsync_*: a confirmed insert outlives a power cut. TTLs are set from the configuration at start.

CREATE TABLE IF NOT EXISTS calls
(
    call_sid String,
    track LowCardinality(String),
    account_sid LowCardinality(String),
    stream_sid String,
    run_id LowCardinality(String),
    from_number String,
    to_number String,
    direction LowCardinality(String),
    stir_verstat LowCardinality(String),
    state LowCardinality(String) COMMENT 'live | ended | interrupted',
    started_at DateTime64(3, 'UTC'),
    ended_at DateTime64(3, 'UTC') COMMENT 'epoch 0: not ended',
    end_reason LowCardinality(String),
    label LowCardinality(String),
    score Float32,
    has_score UInt8,
    confidence Float32,
    provisional UInt8,
    net_speech_ms UInt32,
    audio_ms UInt32,
    gap_ms UInt32,
    lost_ms UInt32,
    duplicates UInt32,
    reasons_json String,
    gaps_json String,
    model LowCardinality(String),
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(started_at)
ORDER BY (call_sid, track)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS voice_windows
(
    call_sid String,
    track LowCardinality(String),
    started_at DateTime64(3, 'UTC') COMMENT 'start of the call',
    hop_start_ms UInt32,
    start_ms UInt32 COMMENT 'of the sliding window, media time',
    end_ms UInt32 COMMENT 'of the window and of its newest hop',
    score Float32 COMMENT 'nan when has_score is 0',
    has_score UInt8,
    llr Float32,
    flags UInt16,
    speech_ms UInt32,
    filled_ms UInt32,
    lost_ms UInt32,
    label LowCardinality(String),
    model LowCardinality(String),
    scored_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toMonday(started_at)
ORDER BY (call_sid, track, end_ms)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS audit
(
    at DateTime64(3, 'UTC'),
    actor String,
    role LowCardinality(String),
    action LowCardinality(String),
    subject String,
    result LowCardinality(String),
    remote String,
    detail String
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY (at, actor)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
