-- What a trained model saw when a case opened, so that a person's verdict can be learnt from (`train flash-call --from
-- clickhouse`). One window a case. Cases from before, and kinds that no model judges, have none.

ALTER TABLE cases
    ADD COLUMN IF NOT EXISTS features_json String COMMENT 'feature -> value of the window that opened the case; {}: none';
