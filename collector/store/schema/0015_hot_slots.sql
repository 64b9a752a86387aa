-- Hot partitions as wide as the slots that they are compacted by and dropped with: four hours, not
-- one. A quarter of the tables to make, plan over, probe and drop; nothing lives longer.

DO $$
DECLARE
    old_name text;
    slot bigint;
    slots bigint[] := ARRAY(SELECT DISTINCT from_ms - mod(from_ms, 14400000)
        FROM heapfleet.partition WHERE level = 'snap_delta' AND from_ms IS NOT NULL);
    old_names text[] := ARRAY(SELECT name FROM heapfleet.partition WHERE level = 'snap_delta');
BEGIN
    UPDATE heapfleet.level SET width_ms = 14400000 WHERE name = 'snap_delta';
    FOREACH old_name IN ARRAY old_names LOOP
        EXECUTE format('ALTER TABLE heapfleet.snap_delta DETACH PARTITION heapfleet.%I', old_name);
        EXECUTE format('ALTER TABLE heapfleet.%I RENAME TO %I', old_name, 'old_' || old_name);
    END LOOP;
    FOREACH slot IN ARRAY slots LOOP
        PERFORM heapfleet.make_partition('snap_delta', slot);
    END LOOP;
    FOREACH old_name IN ARRAY old_names LOOP
        EXECUTE format('INSERT INTO heapfleet.snap_delta (service_id, instance_id, sequence, time_ms, '
            'base_sequence, process, body) SELECT service_id, instance_id, sequence, time_ms, '
            'base_sequence, process, body FROM heapfleet.%I ORDER BY service_id, instance_id, sequence',
            'old_' || old_name);
        EXECUTE format('DROP TABLE heapfleet.%I', 'old_' || old_name);
    END LOOP;
END
$$;
