-- Numbers that were to be forgotten, as keyed hashes, with what was found and changed. And of every table: what a merge
-- or a mutation wrote is flushed to disk, and parts that were replaced are looked for every few seconds, so that an erasure
-- can wait for them to be off the disk.

CREATE TABLE IF NOT EXISTS erasures
(
    id String,
    at DateTime64(3, 'UTC'),
    number_hash String COMMENT 'HMAC-SHA256 of the digits, under a key in the data directory',
    asked_by String,
    rows_found UInt64,
    entries_found UInt64,
    report_json String
)
ENGINE = ReplacingMergeTree(at)
ORDER BY (id)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_rows_to_fsync_after_merge = 1;

ALTER TABLE calls MODIFY SETTING
    min_rows_to_fsync_after_merge = 1, cleanup_delay_period = 2, cleanup_delay_period_random_add = 1,
    max_cleanup_delay_period = 4;
ALTER TABLE voice_windows MODIFY SETTING
    min_rows_to_fsync_after_merge = 1, cleanup_delay_period = 2, cleanup_delay_period_random_add = 1,
    max_cleanup_delay_period = 4;
ALTER TABLE actions MODIFY SETTING
    min_rows_to_fsync_after_merge = 1, cleanup_delay_period = 2, cleanup_delay_period_random_add = 1,
    max_cleanup_delay_period = 4;
ALTER TABLE cdrs MODIFY SETTING
    min_rows_to_fsync_after_merge = 1, cleanup_delay_period = 2, cleanup_delay_period_random_add = 1,
    max_cleanup_delay_period = 4;
ALTER TABLE cdr_scores MODIFY SETTING
    min_rows_to_fsync_after_merge = 1, cleanup_delay_period = 2, cleanup_delay_period_random_add = 1,
    max_cleanup_delay_period = 4;
ALTER TABLE cases MODIFY SETTING
    min_rows_to_fsync_after_merge = 1, cleanup_delay_period = 2, cleanup_delay_period_random_add = 1,
    max_cleanup_delay_period = 4;
ALTER TABLE source_quality_examples MODIFY SETTING
    min_rows_to_fsync_after_merge = 1, cleanup_delay_period = 2, cleanup_delay_period_random_add = 1,
    max_cleanup_delay_period = 4;
ALTER TABLE traffic_minutes MODIFY SETTING
    min_rows_to_fsync_after_merge = 1, cleanup_delay_period = 2, cleanup_delay_period_random_add = 1,
    max_cleanup_delay_period = 4;
