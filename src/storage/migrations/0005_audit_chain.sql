-- Audit rows are a chain: each holds the hash of the one before it, so that `voicefw audit verify` finds what was changed,
-- removed or inserted. Rows from before have seq 0 and no hash.

ALTER TABLE audit
    ADD COLUMN IF NOT EXISTS chain LowCardinality(String) COMMENT 'name of the chain: who wrote it, and since when',
    ADD COLUMN IF NOT EXISTS seq UInt64 COMMENT 'from 1 on, without holes; 0: written before there was a chain',
    ADD COLUMN IF NOT EXISTS prev_hash String,
    ADD COLUMN IF NOT EXISTS hash String COMMENT 'SHA-256 over prev_hash and the other columns';
