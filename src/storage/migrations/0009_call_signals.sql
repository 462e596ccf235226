-- What a track told besides its voice: repeated phrases, response latency, pauses. Calls from before have none.

ALTER TABLE calls
    ADD COLUMN IF NOT EXISTS signals_json String COMMENT 'as in GET /v1/calls; empty: none were heard';
