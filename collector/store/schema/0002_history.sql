-- History in levels: hot deltas as they came, exact chunks of four hours, rollups by hour and by day.
-- Each level is partitioned by time, so that a level's old end goes by dropping tables. Times are
-- milliseconds since 1970, UTC. The rules of 0001 hold: service_id leads every key of facts, no
-- foreign keys, no drawn ids.

-- ---- partitions ----------------------------------------------------------------------------

CREATE TABLE heapfleet.level (
    name text PRIMARY KEY,
    width_ms bigint NOT NULL CHECK (width_ms > 0)
);
COMMENT ON TABLE heapfleet.level IS
    'The tables that are partitioned by time, and how much of it one partition holds.';
COMMENT ON COLUMN heapfleet.level.width_ms IS
    'A partition begins at a multiple of it and is named after its beginning.';
INSERT INTO heapfleet.level (name, width_ms) VALUES
    ('snap_delta', 3600000),
    ('heap_chunk', 86400000),
    ('deployment_hour', 2419200000),
    ('heap_hour', 2419200000),
    ('heap_day', 31449600000);

CREATE FUNCTION heapfleet.partition_name(level text, at_ms bigint) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT level || to_char(to_timestamp((at_ms - mod(at_ms, l.width_ms)) / 1000) AT TIME ZONE 'UTC',
                            CASE WHEN l.width_ms < 86400000 THEN '_YYYYMMDD_HH24' ELSE '_YYYYMMDD' END)
    FROM heapfleet.level l WHERE l.name = level
$$;
COMMENT ON FUNCTION heapfleet.partition_name(text, bigint) IS
    'The partition of a level that holds a moment, whether it exists or not.';

-- A table of its own that is then attached: unlike CREATE TABLE ... PARTITION OF, this does not wait
-- for, or hold up, anybody who reads or writes the other partitions.
CREATE FUNCTION heapfleet.make_partition(level text, at_ms bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    width bigint := (SELECT l.width_ms FROM heapfleet.level l WHERE l.name = level);
    from_ms bigint := at_ms - mod(at_ms, width);
    partition text := heapfleet.partition_name(level, at_ms);
BEGIN
    IF EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass('heapfleet.' || partition)
               AND inhparent = ('heapfleet.' || level)::regclass) THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(29384657391743093);
    IF EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass('heapfleet.' || partition)
               AND inhparent = ('heapfleet.' || level)::regclass) THEN
        RETURN false;
    END IF;
    IF to_regclass('heapfleet.' || partition) IS NOT NULL THEN
        RAISE EXCEPTION 'heapfleet.% is there and no partition of heapfleet.%: attach it, or move it '
            'out of the way', partition, level;
    END IF;
    EXECUTE format('CREATE TABLE heapfleet.%I (LIKE heapfleet.%I INCLUDING ALL)', partition, level);
    EXECUTE format('COMMENT ON TABLE heapfleet.%I IS %L', partition, format('%s from %s UTC.', level,
            to_timestamp(from_ms / 1000) AT TIME ZONE 'UTC'));
    IF level = 'snap_delta' THEN -- lives for hours and is only added to
        EXECUTE format('ALTER TABLE heapfleet.%I SET (autovacuum_enabled = off)', partition);
    END IF;
    EXECUTE format('ALTER TABLE heapfleet.%I ATTACH PARTITION heapfleet.%I FOR VALUES FROM (%s) TO (%s)',
            level, partition, from_ms, from_ms + width);
    RETURN true;
END
$$;
COMMENT ON FUNCTION heapfleet.make_partition(text, bigint) IS
    'Makes the partition of a level that holds a moment; false if it is there already.';

CREATE VIEW heapfleet.partition AS
    SELECT l.name AS level, c.relname::text AS name, b.from_ms, b.from_ms + l.width_ms AS to_ms
    FROM heapfleet.level l
    JOIN pg_inherits h ON h.inhparent = ('heapfleet.' || l.name)::regclass
    JOIN pg_class c ON c.oid = h.inhrelid
    CROSS JOIN LATERAL (SELECT substring(pg_get_expr(c.relpartbound, c.oid)
        FROM 'FROM \(''?(-?[0-9]+)')::bigint AS from_ms) b;
COMMENT ON VIEW heapfleet.partition IS 'The partitions that exist, and the times that each holds.';

-- ---- hot: snapshots as they came -----------------------------------------------------------

CREATE TABLE heapfleet.snap_delta (
    service_id bigint NOT NULL,
    instance_id bigint NOT NULL,
    sequence bigint NOT NULL,
    time_ms bigint NOT NULL,
    base_sequence bigint NOT NULL,
    process bytea NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (service_id, instance_id, sequence, time_ms)
) PARTITION BY RANGE (time_ms);
-- Both are dense already: compressing them again would cost CPU and gain nothing.
ALTER TABLE heapfleet.snap_delta ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE heapfleet.snap_delta ALTER COLUMN process SET STORAGE EXTERNAL;
COMMENT ON TABLE heapfleet.snap_delta IS
    'Hot: count and bytes of every type of a process at one moment, as a keyframe or as the change '
    'since an earlier snapshot. A partition goes when heap_chunk holds all of it.';
COMMENT ON COLUMN heapfleet.snap_delta.service_id IS 'service.id';
COMMENT ON COLUMN heapfleet.snap_delta.instance_id IS 'instance.id';
COMMENT ON COLUMN heapfleet.snap_delta.sequence IS
    'The agent''s number: rises within a process, with gaps, and names the snapshot for ever.';
COMMENT ON COLUMN heapfleet.snap_delta.time_ms IS
    'When the census began, by the clock of its host: may go back where a clock was set.';
COMMENT ON COLUMN heapfleet.snap_delta.base_sequence IS
    'The snapshot that body changes; 0: body is a keyframe.';
COMMENT ON COLUMN heapfleet.snap_delta.process IS
    'Ten numbers as LEB128 varints: objects and bytes of all types together; resident private '
    'anonymous bytes (0: unknown), swapped bytes, the container''s usage and limit (0: none), private '
    'anonymous bytes that are not Python objects; CPU milliseconds since the start; share of the '
    'heap that was read in 1/10000; snapshots that the agent dropped before this one.';
COMMENT ON COLUMN heapfleet.snap_delta.body IS
    'Snapshot codec of the Heapfleet sources, common/codec/snapshot_codec.h: types by their place in '
    'instance.type_ids, counted from 0.';

-- ---- exact: four hours of a process --------------------------------------------------------

CREATE TABLE heapfleet.heap_chunk (
    service_id bigint NOT NULL,
    instance_id bigint NOT NULL,
    slot_ms bigint NOT NULL,
    first_sequence bigint NOT NULL,
    last_sequence bigint NOT NULL,
    objects_first bigint NOT NULL,
    objects_last bigint NOT NULL,
    bytes_first bigint NOT NULL,
    bytes_last bigint NOT NULL,
    times_ms integer[] NOT NULL,
    counts bigint[] NOT NULL,
    bytes bigint[] NOT NULL,
    ends integer[] NOT NULL,
    process bytea NOT NULL,
    payload bytea NOT NULL,
    PRIMARY KEY (service_id, instance_id, slot_ms)
) PARTITION BY RANGE (slot_ms);
-- Uncompressed out of line, so that substring() fetches only the pages of the types asked for.
ALTER TABLE heapfleet.heap_chunk ALTER COLUMN payload SET STORAGE EXTERNAL;
ALTER TABLE heapfleet.heap_chunk ALTER COLUMN process SET STORAGE EXTERNAL;
COMMENT ON TABLE heapfleet.heap_chunk IS
    'Exact: all snapshots of a process whose times lie within four hours. The n-th type is '
    'instance.type_ids[n]; types beyond the end of the arrays were not known yet.';
COMMENT ON COLUMN heapfleet.heap_chunk.service_id IS 'service.id';
COMMENT ON COLUMN heapfleet.heap_chunk.instance_id IS 'instance.id';
COMMENT ON COLUMN heapfleet.heap_chunk.slot_ms IS
    'Where the four hours begin: a multiple of 14400000.';
COMMENT ON COLUMN heapfleet.heap_chunk.first_sequence IS 'Of its first snapshot.';
COMMENT ON COLUMN heapfleet.heap_chunk.last_sequence IS 'Of its last snapshot.';
COMMENT ON COLUMN heapfleet.heap_chunk.objects_first IS 'Objects of all types, first snapshot.';
COMMENT ON COLUMN heapfleet.heap_chunk.objects_last IS 'Objects of all types, last snapshot.';
COMMENT ON COLUMN heapfleet.heap_chunk.bytes_first IS 'Bytes of all types, first snapshot.';
COMMENT ON COLUMN heapfleet.heap_chunk.bytes_last IS 'Bytes of all types, last snapshot.';
COMMENT ON COLUMN heapfleet.heap_chunk.times_ms IS
    'When each snapshot was taken, in milliseconds after slot_ms, in the order of their sequences.';
COMMENT ON COLUMN heapfleet.heap_chunk.counts IS 'Objects of each type in the first snapshot.';
COMMENT ON COLUMN heapfleet.heap_chunk.bytes IS 'Bytes of each type in the first snapshot.';
COMMENT ON COLUMN heapfleet.heap_chunk.ends IS
    'Where in payload the changes of each type end: those of type n are the bytes '
    'ends[n-1] + 1 .. ends[n], none if the two are equal.';
COMMENT ON COLUMN heapfleet.heap_chunk.process IS
    'The sequences, then the ten numbers of snap_delta.process, one series behind the other: '
    'collector/store/chunk_codec.h of the Heapfleet sources.';
COMMENT ON COLUMN heapfleet.heap_chunk.payload IS
    'For each type its changes, as LEB128 varints: 2 * snapshots skipped (+ 1 if a residual follows), '
    'zigzag(change of count), zigzag(change of bytes - change of count * unit) unless 0, where unit '
    'is the old bytes / the old count, rounded down (0 if the old count is 0).';

CREATE TABLE heapfleet.instance_last (
    service_id bigint NOT NULL,
    instance_id bigint NOT NULL,
    sequence bigint NOT NULL,
    time_ms bigint NOT NULL,
    interval_ms bigint NOT NULL,
    process bytea NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (service_id, instance_id)
) WITH (fillfactor = 70);
ALTER TABLE heapfleet.instance_last ALTER COLUMN body SET STORAGE EXTERNAL;
COMMENT ON TABLE heapfleet.instance_last IS
    'The newest snapshot of each process that heap_chunk holds: what the next hot one builds on.';
COMMENT ON COLUMN heapfleet.instance_last.service_id IS 'service.id';
COMMENT ON COLUMN heapfleet.instance_last.instance_id IS 'instance.id';
COMMENT ON COLUMN heapfleet.instance_last.sequence IS 'The highest sequence in heap_chunk.';
COMMENT ON COLUMN heapfleet.instance_last.time_ms IS 'As in snap_delta.';
COMMENT ON COLUMN heapfleet.instance_last.interval_ms IS
    'Time since the snapshot before it; 0: there was none in its four hours.';
COMMENT ON COLUMN heapfleet.instance_last.process IS 'As in snap_delta.';
COMMENT ON COLUMN heapfleet.instance_last.body IS 'As in snap_delta, always a keyframe.';

-- ---- rollups -------------------------------------------------------------------------------

CREATE TABLE heapfleet.deployment_hour (
    service_id bigint NOT NULL,
    slot_ms bigint NOT NULL,
    deployment_id bigint NOT NULL,
    hour integer NOT NULL,
    instances integer NOT NULL,
    snapshots integer NOT NULL,
    objects_avg double precision NOT NULL,
    bytes_avg double precision NOT NULL,
    rss_anon_avg double precision NOT NULL,
    rss_anon_max bigint NOT NULL,
    container_usage_avg double precision NOT NULL,
    container_usage_max bigint NOT NULL,
    container_limit_max bigint NOT NULL,
    cpu_ms bigint NOT NULL,
    PRIMARY KEY (service_id, slot_ms, deployment_id, hour)
) PARTITION BY RANGE (slot_ms);
COMMENT ON TABLE heapfleet.deployment_hour IS
    'One hour of a deployment: its processes, and what each had on average.';
COMMENT ON COLUMN heapfleet.deployment_hour.service_id IS 'service.id';
COMMENT ON COLUMN heapfleet.deployment_hour.slot_ms IS 'As in heap_hour.';
COMMENT ON COLUMN heapfleet.deployment_hour.deployment_id IS 'deployment.id';
COMMENT ON COLUMN heapfleet.deployment_hour.hour IS
    '1 to 4: it begins at slot_ms + (hour - 1) * 3600000.';
COMMENT ON COLUMN heapfleet.deployment_hour.instances IS 'Processes with a snapshot in the hour.';
COMMENT ON COLUMN heapfleet.deployment_hour.snapshots IS 'Their snapshots.';
COMMENT ON COLUMN heapfleet.deployment_hour.objects_avg IS 'Objects of a snapshot, mean.';
COMMENT ON COLUMN heapfleet.deployment_hour.bytes_avg IS 'Bytes of a snapshot''s objects, mean.';
COMMENT ON COLUMN heapfleet.deployment_hour.rss_anon_avg IS
    'Resident private anonymous bytes of a process, mean.';
COMMENT ON COLUMN heapfleet.deployment_hour.rss_anon_max IS 'The same, largest.';
COMMENT ON COLUMN heapfleet.deployment_hour.container_usage_avg IS
    'Memory in use by the container of a process, mean.';
COMMENT ON COLUMN heapfleet.deployment_hour.container_usage_max IS 'The same, largest.';
COMMENT ON COLUMN heapfleet.deployment_hour.container_limit_max IS
    'Memory limit of a container, largest; 0: none.';
COMMENT ON COLUMN heapfleet.deployment_hour.cpu_ms IS
    'CPU time that its processes used between their first and last snapshot of the hour.';

CREATE TABLE heapfleet.heap_hour (
    service_id bigint NOT NULL,
    slot_ms bigint NOT NULL,
    type_id integer NOT NULL,
    deployment_id bigint NOT NULL,
    count_avg real[] NOT NULL,
    count_min bigint NOT NULL,
    count_max bigint NOT NULL,
    bytes_avg real[] NOT NULL,
    PRIMARY KEY (service_id, slot_ms, type_id, deployment_id)
) PARTITION BY RANGE (slot_ms);
COMMENT ON TABLE heapfleet.heap_hour IS
    'Four hours of a type in a deployment, by hour. Multiply a mean by deployment_hour.instances for '
    'the whole deployment. A type that no process had is not there.';
COMMENT ON COLUMN heapfleet.heap_hour.service_id IS 'service.id';
COMMENT ON COLUMN heapfleet.heap_hour.slot_ms IS
    'Where the four hours begin: a multiple of 14400000.';
COMMENT ON COLUMN heapfleet.heap_hour.type_id IS 'type.id';
COMMENT ON COLUMN heapfleet.heap_hour.deployment_id IS 'deployment.id';
COMMENT ON COLUMN heapfleet.heap_hour.count_avg IS
    'Objects of the type in a snapshot, mean of each of the four hours; NULL: no snapshot.';
COMMENT ON COLUMN heapfleet.heap_hour.count_min IS 'Fewest in any snapshot of the four hours.';
COMMENT ON COLUMN heapfleet.heap_hour.count_max IS 'Most in any snapshot of the four hours.';
COMMENT ON COLUMN heapfleet.heap_hour.bytes_avg IS
    'Their bytes in a snapshot, mean of each of the four hours; NULL: no snapshot.';

CREATE TABLE heapfleet.heap_day (
    service_id bigint NOT NULL,
    day_ms bigint NOT NULL,
    type_id integer NOT NULL,
    snapshots integer NOT NULL,
    deployment_id bigint NOT NULL,
    count_avg double precision NOT NULL,
    count_min bigint NOT NULL,
    count_max bigint NOT NULL,
    bytes_avg double precision NOT NULL,
    PRIMARY KEY (service_id, day_ms, type_id, deployment_id)
) PARTITION BY RANGE (day_ms);
COMMENT ON TABLE heapfleet.heap_day IS 'A day (UTC) of a type in a deployment, made of heap_hour.';
COMMENT ON COLUMN heapfleet.heap_day.service_id IS 'service.id';
COMMENT ON COLUMN heapfleet.heap_day.day_ms IS 'Where the day begins: a multiple of 86400000.';
COMMENT ON COLUMN heapfleet.heap_day.type_id IS 'type.id';
COMMENT ON COLUMN heapfleet.heap_day.snapshots IS 'Of the deployment''s processes in the day.';
COMMENT ON COLUMN heapfleet.heap_day.deployment_id IS 'deployment.id';
COMMENT ON COLUMN heapfleet.heap_day.count_avg IS 'Objects of the type in a snapshot, mean.';
COMMENT ON COLUMN heapfleet.heap_day.count_min IS 'Fewest in any snapshot of the day.';
COMMENT ON COLUMN heapfleet.heap_day.count_max IS 'Most in any snapshot of the day.';
COMMENT ON COLUMN heapfleet.heap_day.bytes_avg IS 'Their bytes in a snapshot, mean.';

-- ---- the work of compaction ----------------------------------------------------------------

CREATE TABLE heapfleet.compaction (
    service_id bigint NOT NULL,
    slot_ms bigint NOT NULL,
    hot_rows bigint NOT NULL,
    compacted_rows bigint NOT NULL DEFAULT -1,
    PRIMARY KEY (service_id, slot_ms)
) WITH (fillfactor = 50);
COMMENT ON TABLE heapfleet.compaction IS
    'Four hours of a service that go from snap_delta to heap_chunk. A collector that does one holds '
    'a lock on its row; the row goes with the partitions of snap_delta.';
COMMENT ON COLUMN heapfleet.compaction.service_id IS 'service.id';
COMMENT ON COLUMN heapfleet.compaction.slot_ms IS 'As in heap_chunk.';
COMMENT ON COLUMN heapfleet.compaction.hot_rows IS 'Snapshots that snap_delta had when counted.';
COMMENT ON COLUMN heapfleet.compaction.compacted_rows IS
    'Of which heap_chunk has this many; -1: not begun. To do while the two differ.';

CREATE TABLE heapfleet.day_due (
    service_id bigint NOT NULL,
    day_ms bigint NOT NULL,
    marked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (service_id, day_ms)
);
COMMENT ON TABLE heapfleet.day_due IS
    'Days of a service whose heap_day is to be made, or made anew, once the day is over.';
COMMENT ON COLUMN heapfleet.day_due.service_id IS 'service.id';
COMMENT ON COLUMN heapfleet.day_due.day_ms IS 'As in heap_day.';
COMMENT ON COLUMN heapfleet.day_due.marked_at IS 'When heap_hour changed last.';

-- ---- keys that begin with the service ------------------------------------------------------

ALTER TABLE heapfleet.deployment DROP CONSTRAINT deployment_pkey;
ALTER TABLE heapfleet.deployment ADD PRIMARY KEY (service_id, id);

-- ---- what there is already -----------------------------------------------------------------

CREATE FUNCTION pg_temp.varint(value bigint) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    left_over bigint := value;
    made bytea := '';
BEGIN
    WHILE left_over >= 128 LOOP
        made := made || set_byte('\x00', 0, (128 + (left_over & 127))::integer);
        left_over := left_over >> 7;
    END LOOP;
    RETURN made || set_byte('\x00', 0, left_over::integer);
END
$$;
SELECT heapfleet.make_partition('snap_delta', hour * 3600000)
FROM (SELECT DISTINCT time_ms / 3600000 AS hour FROM heapfleet.snapshot) h;
INSERT INTO heapfleet.snap_delta (service_id, instance_id, sequence, time_ms, base_sequence, process, body)
SELECT service_id, instance_id, sequence, time_ms, base_sequence,
    pg_temp.varint(objects) || pg_temp.varint(bytes) || pg_temp.varint(rss_anon_bytes)
    || pg_temp.varint(swap_bytes) || pg_temp.varint(container_usage_bytes)
    || pg_temp.varint(container_limit_bytes) || pg_temp.varint(not_objects_bytes)
    || pg_temp.varint(cpu_ms) || pg_temp.varint(coverage) || pg_temp.varint(dropped), body
FROM heapfleet.snapshot;
DROP FUNCTION pg_temp.varint(bigint);
DROP TABLE heapfleet.snapshot;
