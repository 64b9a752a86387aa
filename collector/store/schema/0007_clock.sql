-- Whether a process is alive is judged by the collector's clock; its times come from its host's.

ALTER TABLE heapfleet.instance ADD COLUMN clock_behind_ms bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN heapfleet.instance.clock_behind_ms IS
    'By how much the clock of its host was behind the collector''s when its agent connected last; '
    '0: it was right.';
