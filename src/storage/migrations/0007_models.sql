-- Which model gave a case the score that a call was held to; what a candidate and the active model said of the same
-- input. No phone number stands here: of a flash-call look only the kind of its key and its window.

ALTER TABLE cdr_scores ADD COLUMN IF NOT EXISTS model LowCardinality(String)
    COMMENT 'name/version, or rule; empty: rules of the kind, or older than this column';

CREATE TABLE IF NOT EXISTS shadow_scores
(
    name LowCardinality(String) COMMENT 'voice | flash_call',
    active LowCardinality(String) COMMENT 'name/version',
    candidate LowCardinality(String),
    call_sid String COMMENT 'of a voice window',
    track LowCardinality(String),
    subject LowCardinality(String) COMMENT 'of a flash-call look: kind of key and window',
    hop_start_ms UInt32 CODEC(Delta, ZSTD(1)),
    hop_end_ms UInt32 COMMENT 'as end_ms of voice_windows' CODEC(Delta, ZSTD(1)),
    active_score Float32,
    candidate_score Float32,
    scored_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(scored_at)
ORDER BY (name, candidate, toStartOfHour(scored_at), call_sid, hop_end_ms)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
