-- People's SQL on Citus, too. There, a function that reads tables is planned once for all its
-- arguments, which a function in SQL cannot be; and no function that reads tables may stand in a
-- query of tables, because that query runs elsewhere. So what reads tables is PL/pgSQL, and reads
-- functions or tables, not both. The answers are as before.

-- ---- what reads one table or several ---------------------------------------------------------

CREATE OR REPLACE FUNCTION heapfleet.raw_chunk_values(service_id bigint, instance_id bigint, slot_ms bigint, place integer,
    type_index integer)
RETURNS TABLE (counts bigint[], bytes bigint[])
LANGUAGE plpgsql STABLE ROWS 1 AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT array_agg(v.count ORDER BY v.n), array_agg(v.bytes ORDER BY v.n)
    FROM heapfleet.heap_chunk c CROSS JOIN LATERAL (
        SELECT n, p.count, p.bytes
        FROM (SELECT $5 + 1 AS n, heapfleet.raw_stretch(c.payload, c.ends, $5) AS stretch WHERE $5 IS NOT NULL
            UNION ALL
            SELECT s.n, s.stretch FROM heapfleet.raw_stretches(c.payload) s WHERE $5 IS NULL) t
        CROSS JOIN LATERAL heapfleet.raw_pairs(t.stretch, $4, $4) p
        WHERE c.format = 2
        UNION ALL
        SELECT n, w.count, w.bytes
        FROM generate_subscripts(c.counts, 1) n
        CROSS JOIN LATERAL (SELECT coalesce(c.ends[n - 1], 0) AS begins) b
        CROSS JOIN LATERAL (
            SELECT c.counts[n] AS count, c.bytes[n] AS bytes WHERE c.ends[n] = b.begins
            UNION ALL
            SELECT s.count, s.bytes FROM heapfleet.raw_series(
                substring(c.payload FROM b.begins + 1 FOR c.ends[n] - b.begins), c.counts[n], c.bytes[n], $4) s
            WHERE c.ends[n] > b.begins AND s.place = $4) w
        WHERE c.format = 1 AND ($5 IS NULL OR n = $5 + 1)) v
    WHERE c.service_id = $1 AND c.instance_id = $2 AND c.slot_ms = $3;
END
$$;

CREATE OR REPLACE FUNCTION heapfleet.raw_lives(service_id bigint)
RETURNS TABLE (instance_id bigint, deployment_id bigint, started_ms bigint, last_seen_ms bigint,
    interval_ms bigint, live boolean)
LANGUAGE plpgsql STABLE ROWS 100 AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT i.id, i.deployment_id, i.started_ms, n.time_ms, coalesce(nullif(greatest(n.interval_ms, 0), 0), 60000),
        (i.ended_ms IS NULL OR n.time_ms > i.ended_ms) AND n.time_ms IS NOT NULL
            AND (heapfleet.to_ms(now()) - n.time_ms - 5000) / 3
                <= coalesce(nullif(greatest(n.interval_ms, 0), 0), 60000)
    FROM heapfleet.instance i LEFT JOIN LATERAL (
        SELECT t.time_ms, coalesce(nullif(t.time_ms - lead(t.time_ms)
            OVER (ORDER BY t.sequence DESC, t.interval_ms), 0), t.interval_ms) AS interval_ms
        FROM ((SELECT s.sequence, s.time_ms, NULL::bigint AS interval_ms FROM heapfleet.snap_delta s
               WHERE s.service_id = i.service_id AND s.instance_id = i.id ORDER BY s.sequence DESC LIMIT 2)
              UNION ALL
              SELECT l.sequence, l.time_ms, l.interval_ms FROM heapfleet.instance_last l
              WHERE l.service_id = i.service_id AND l.instance_id = i.id) t
        ORDER BY t.sequence DESC, t.interval_ms LIMIT 1) n ON true
    WHERE i.service_id = $1;
END
$$;

CREATE OR REPLACE FUNCTION heapfleet.raw_hour(service_id bigint, hour_ms bigint, deployment_id bigint)
RETURNS TABLE (type_id integer, count double precision, bytes double precision)
LANGUAGE plpgsql STABLE ROWS 300 AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH d AS MATERIALIZED (
        SELECT d.deployment_id, d.snapshots, sum(d.snapshots) OVER () AS total
        FROM heapfleet.deployment_hour d
        WHERE d.service_id = $1 AND d.slot_ms = $2 - mod($2, 14400000) AND d.hour = mod($2, 14400000) / 3600000 + 1
            AND ($3 IS NULL OR d.deployment_id = $3))
    SELECT h.type_id, sum(h.count_avg[mod($2, 14400000) / 3600000 + 1]::double precision * d.snapshots / d.total),
        sum(h.bytes_avg[mod($2, 14400000) / 3600000 + 1]::double precision * d.snapshots / d.total)
    FROM d JOIN heapfleet.heap_hour h ON h.service_id = $1 AND h.slot_ms = $2 - mod($2, 14400000)
        AND h.deployment_id = d.deployment_id
    GROUP BY h.type_id;
END
$$;

CREATE OR REPLACE FUNCTION heapfleet.raw_rolled_until(service_id bigint) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    rolled_ms bigint := (SELECT max(d.slot_ms) + 14400000 FROM heapfleet.deployment_hour d WHERE d.service_id = $1);
BEGIN
    IF rolled_ms IS NULL THEN
        RETURN 0;
    END IF;
    RETURN least(rolled_ms, heapfleet.to_ms(now()) / 14400000 * 14400000,
        (SELECT min(c.slot_ms) FROM heapfleet.compaction c
         WHERE c.service_id = $1 AND c.hot_rows <> c.compacted_rows));
END
$$;

-- ---- what puts functions together ------------------------------------------------------------

CREATE OR REPLACE FUNCTION heapfleet.raw_type(service_id bigint, type_id integer, from_ms bigint, to_ms bigint, of_deployment bigint)
RETURNS TABLE (instance_id bigint, time_ms bigint, count bigint, bytes bigint)
LANGUAGE plpgsql STABLE ROWS 10000 AS $$
DECLARE
    ids bigint[];
    places integer[]; -- of the type in each one's type_ids
    hot_ids bigint[];
    hot_times bigint[];
    hot_counts bigint[];
    hot_bytes bigint[];
BEGIN
    SELECT array_agg(i.id), array_agg(array_position(i.type_ids, $2)) INTO ids, places
    FROM heapfleet.instance i
    WHERE i.service_id = $1 AND (of_deployment IS NULL OR i.deployment_id = of_deployment) AND i.started_ms <= $4;
    RETURN QUERY WITH chunk AS MATERIALIZED (
        SELECT p.id, p.n, c.slot_ms, c.format, coalesce(c.times_ms, heapfleet.raw_times(c.times)) AS times_ms, c.counts,
            c.bytes, c.ends, c.payload
        FROM unnest(ids, places) p(id, n)
        JOIN heapfleet.heap_chunk c ON c.service_id = $1 AND c.instance_id = p.id
            AND c.slot_ms > $3 - 14400000 AND c.slot_ms <= $4)
    SELECT k.id, k.slot_ms + k.times_ms[v.place], v.count, v.bytes
    FROM chunk k
    CROSS JOIN LATERAL heapfleet.raw_pairs(heapfleet.raw_stretch(k.payload, k.ends, k.n - 1),
        cardinality(k.times_ms)) v
    WHERE k.format = 2 AND k.slot_ms + k.times_ms[v.place] BETWEEN $3 AND $4
    UNION ALL
    SELECT k.id, k.slot_ms + k.times_ms[v.place], v.count, v.bytes
    FROM chunk k
    CROSS JOIN LATERAL (SELECT coalesce(k.ends[k.n - 1], 0) AS begins) b
    CROSS JOIN LATERAL heapfleet.raw_series(
        coalesce(substring(k.payload FROM b.begins + 1 FOR k.ends[k.n] - b.begins), ''),
        coalesce(k.counts[k.n], 0), coalesce(k.bytes[k.n], 0), cardinality(k.times_ms)) v
    WHERE k.format = 1 AND k.slot_ms + k.times_ms[v.place] BETWEEN $3 AND $4;
    SELECT array_agg(p.id), array_agg(h.time_ms), array_agg(h.count), array_agg(h.bytes)
    INTO hot_ids, hot_times, hot_counts, hot_bytes
    FROM unnest(ids, places) p(id, n)
    CROSS JOIN LATERAL heapfleet.raw_hot($1, p.id, coalesce(p.n - 1, 2147483646), $3, $4) h;
    IF hot_ids IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY WITH hot AS (
        SELECT u.id, u.at_ms, u.count, u.bytes, u.at_ms - mod(u.at_ms, 14400000) AS slot_ms
        FROM unnest(hot_ids, hot_times, hot_counts, hot_bytes) u(id, at_ms, count, bytes)),
    chunk AS MATERIALIZED (
        SELECT s.id, s.slot_ms, coalesce(c.times_ms, heapfleet.raw_times(c.times)) AS times_ms
        FROM (SELECT DISTINCT h.id, h.slot_ms FROM hot h) s
        JOIN heapfleet.heap_chunk c ON c.service_id = $1 AND c.instance_id = s.id AND c.slot_ms = s.slot_ms
            AND c.slot_ms > $3 - 14400000 AND c.slot_ms <= $4)
    SELECT h.id, h.at_ms, h.count, h.bytes FROM hot h
    WHERE NOT EXISTS (SELECT FROM chunk k WHERE k.id = h.id AND k.slot_ms = h.slot_ms
            AND (h.at_ms - k.slot_ms)::integer = ANY (k.times_ms));
END
$$;

CREATE OR REPLACE FUNCTION heapfleet.raw_means(service_id bigint, type_id integer, from_ms bigint, to_ms bigint,
    unit_ms bigint, of_deployment bigint)
RETURNS TABLE (time_ms bigint, deployment_id bigint, count double precision, bytes double precision, instances integer)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    rolled_ms bigint := heapfleet.raw_rolled_until(service_id);
    hours_ms bigint := from_ms; -- days before are in heap_day
    ids bigint[];
    deployment_ids bigint[];
BEGIN
    IF unit_ms = 86400000 THEN
        hours_ms := greatest(from_ms, least(least(rolled_ms, to_ms + 3599999) / 86400000 * 86400000,
            (SELECT min(d.day_ms) FROM heapfleet.day_due d WHERE d.service_id = raw_means.service_id)));
        RETURN QUERY
            SELECT d.day_ms, d.deployment_id, d.count_avg, d.bytes_avg, 0
            FROM generate_series((from_ms + 86399999) / 86400000 * 86400000, least(hours_ms, to_ms) - 1, 86400000) s(day_ms)
            JOIN heapfleet.heap_day d ON d.service_id = raw_means.service_id AND d.day_ms = s.day_ms
                AND d.type_id = raw_means.type_id
                AND d.day_ms >= from_ms AND d.day_ms < hours_ms -- said again, for the planner's choice of partitions
            WHERE of_deployment IS NULL OR d.deployment_id = of_deployment;
    END IF;
    RETURN QUERY
        SELECT s.slot_ms + (d.hour - 1) * 3600000, d.deployment_id,
            heapfleet.raw_hour_mean(raw_means.type_id, d.hour, h.type_ids, h.count_avg),
            heapfleet.raw_hour_mean(raw_means.type_id, d.hour, h.type_ids, h.bytes_avg), d.instances
        FROM generate_series(hours_ms - mod(hours_ms, 14400000), least(rolled_ms, to_ms) - 1, 14400000) s(slot_ms)
        JOIN heapfleet.deployment_hour d ON d.service_id = raw_means.service_id AND d.slot_ms = s.slot_ms
            AND d.slot_ms > hours_ms - 14400000 AND d.slot_ms < to_ms
        LEFT JOIN heapfleet.hour_group h ON h.service_id = raw_means.service_id AND h.slot_ms = s.slot_ms
            AND h.type_group = raw_means.type_id / 32 AND h.deployment_id = d.deployment_id
            AND h.slot_ms > hours_ms - 14400000 AND h.slot_ms < to_ms
        WHERE s.slot_ms + (d.hour - 1) * 3600000 >= hours_ms
            AND s.slot_ms + (d.hour - 1) * 3600000 < least(rolled_ms, to_ms)
            AND (of_deployment IS NULL OR d.deployment_id = of_deployment);
    IF rolled_ms >= to_ms THEN
        RETURN;
    END IF;
    SELECT array_agg(i.id), array_agg(i.deployment_id) INTO ids, deployment_ids
    FROM heapfleet.instance i WHERE i.service_id = raw_means.service_id;
    RETURN QUERY
        SELECT r.time_ms / 3600000 * 3600000, i.deployment_id, avg(r.count)::double precision,
            avg(r.bytes)::double precision, count(DISTINCT r.instance_id)::integer
        FROM heapfleet.raw_type(service_id, type_id, greatest(hours_ms, rolled_ms), to_ms,
            of_deployment) r
        JOIN unnest(ids, deployment_ids) i(id, deployment_id) ON i.id = r.instance_id
        GROUP BY 1, 2;
END
$$;

CREATE OR REPLACE FUNCTION heapfleet.snapshots(service text, type text, from_time timestamptz, to_time timestamptz DEFAULT now(),
    of_version text DEFAULT NULL, environment text DEFAULT NULL)
RETURNS TABLE ("time" timestamptz, instance uuid, version text, count bigint, bytes bigint)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    of_service bigint := heapfleet.service_id(snapshots.service, snapshots.environment);
    ids bigint[];
    uuids uuid[];
    versions text[];
BEGIN
    SELECT array_agg(i.id), array_agg(i.uuid), array_agg(d.version) INTO ids, uuids, versions
    FROM heapfleet.instance i
    JOIN heapfleet.deployment d ON d.service_id = of_service AND d.id = i.deployment_id
    WHERE i.service_id = of_service;
    RETURN QUERY SELECT heapfleet.from_ms(r.time_ms), i.uuid, i.version, r.count, r.bytes
        FROM heapfleet.raw_type(of_service, heapfleet.type_id(of_service, snapshots.type),
            heapfleet.to_ms(from_time), heapfleet.to_ms(to_time),
            heapfleet.deployment_id(of_service, of_version)) r
        JOIN unnest(ids, uuids, versions) i(id, uuid, version) ON i.id = r.instance_id
        ORDER BY 1, 2;
END
$$;

CREATE OR REPLACE FUNCTION heapfleet.top_growth(service text, from_time timestamptz, to_time timestamptz DEFAULT now(),
    of_version text DEFAULT NULL, environment text DEFAULT NULL)
RETURNS TABLE (type text, count_from double precision, count_to double precision, bytes_from double precision,
    bytes_to double precision, bytes_difference double precision, from_hour timestamptz, to_hour timestamptz)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    of_service bigint := heapfleet.service_id(top_growth.service, top_growth.environment);
    of_deployment bigint := heapfleet.deployment_id(of_service, of_version);
    until_ms bigint := least(heapfleet.raw_rolled_until(of_service),
        heapfleet.to_ms(to_time) / 3600000 * 3600000);
    first_ms bigint;
    last_ms bigint;
    ids integer[];
    first_counts double precision[];
    last_counts double precision[];
    first_bytes double precision[];
    last_bytes double precision[];
BEGIN
    IF from_time >= to_time THEN
        RAISE EXCEPTION 'the span ends before it begins';
    END IF;
    SELECT min(d.slot_ms + (d.hour - 1) * 3600000), max(d.slot_ms + (d.hour - 1) * 3600000) INTO first_ms, last_ms
    FROM heapfleet.deployment_hour d
    WHERE d.service_id = of_service AND (of_deployment IS NULL OR d.deployment_id = of_deployment)
        AND d.slot_ms >= heapfleet.to_ms(from_time) - 14400000 AND d.slot_ms < until_ms
        AND d.slot_ms + (d.hour - 1) * 3600000 >= heapfleet.to_ms(from_time) / 3600000 * 3600000
        AND d.slot_ms + (d.hour - 1) * 3600000 < until_ms;
    IF first_ms IS NULL OR first_ms = last_ms THEN
        RAISE EXCEPTION 'fewer than two hours of this span are rolled up yet'
            USING HINT = 'Hours are rolled up in fours, some minutes after the last of them has ended.';
    END IF;
    SELECT array_agg(coalesce(a.type_id, b.type_id)), array_agg(coalesce(a.count, 0)), array_agg(coalesce(b.count, 0)),
        array_agg(coalesce(a.bytes, 0)), array_agg(coalesce(b.bytes, 0))
    INTO ids, first_counts, last_counts, first_bytes, last_bytes
    FROM heapfleet.raw_hour(of_service, first_ms, of_deployment) a
    FULL JOIN heapfleet.raw_hour(of_service, last_ms, of_deployment) b ON b.type_id = a.type_id
    WHERE a.count > 0 OR b.count > 0 OR a.bytes > 0 OR b.bytes > 0;
    RETURN QUERY
        SELECT t.name, u.count_a, u.count_b, u.bytes_a, u.bytes_b, u.bytes_b - u.bytes_a,
            heapfleet.from_ms(first_ms), heapfleet.from_ms(last_ms)
        FROM unnest(ids, first_counts, last_counts, first_bytes, last_bytes)
            u(type_id, count_a, count_b, bytes_a, bytes_b)
        JOIN heapfleet.type t ON t.id = u.type_id
        ORDER BY 6 DESC, t.id;
END
$$;

CREATE OR REPLACE FUNCTION heapfleet.compare(service text, version_a text, version_b text, at_uptime interval DEFAULT NULL,
    environment text DEFAULT NULL)
RETURNS TABLE (type text, count_a double precision, count_b double precision, bytes_a double precision,
    bytes_b double precision, bytes_difference double precision, uptime interval, instances_a bigint, instances_b bigint)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    of_service bigint := heapfleet.service_id(compare.service, compare.environment);
    a_id bigint := heapfleet.deployment_id(of_service, version_a);
    b_id bigint := heapfleet.deployment_id(of_service, version_b);
    uptime_ms bigint := coalesce(floor(extract(epoch FROM at_uptime) * 1000)::bigint,
        least(heapfleet.raw_usual_uptime(of_service, a_id), heapfleet.raw_usual_uptime(of_service, b_id)));
    ids integer[];
    a_counts double precision[];
    b_counts double precision[];
    a_bytes double precision[];
    b_bytes double precision[];
    a_instances bigint;
    b_instances bigint;
BEGIN
    SELECT array_agg(coalesce(a.type_id, b.type_id)), array_agg(coalesce(a.count, 0)), array_agg(coalesce(b.count, 0)),
        array_agg(coalesce(a.bytes, 0)), array_agg(coalesce(b.bytes, 0)), max(a.instances), max(b.instances)
    INTO ids, a_counts, b_counts, a_bytes, b_bytes, a_instances, b_instances
    FROM heapfleet.raw_version_at(of_service, a_id, uptime_ms) a
    FULL JOIN heapfleet.raw_version_at(of_service, b_id, uptime_ms) b ON b.type_id = a.type_id;
    RETURN QUERY
        SELECT t.name, u.count_a, u.count_b, u.bytes_a, u.bytes_b, u.bytes_b - u.bytes_a,
            uptime_ms * interval '1 millisecond', a_instances, b_instances
        FROM unnest(ids, a_counts, b_counts, a_bytes, b_bytes) u(type_id, count_a, count_b, bytes_a, bytes_b)
        JOIN heapfleet.type t ON t.id = u.type_id
        ORDER BY 6 DESC, t.id;
END
$$;

-- ---- lists -----------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION heapfleet.deployments(service text, environment text DEFAULT NULL)
RETURNS TABLE (version text, first_seen timestamptz, last_seen timestamptz, live bigint, instances bigint, oom_kills bigint)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    of_service bigint := heapfleet.service_id(deployments.service, deployments.environment);
    ids bigint[];
    versions text[];
    killed bigint[];
BEGIN
    SELECT array_agg(d.id), array_agg(d.version) INTO ids, versions
    FROM heapfleet.deployment d WHERE d.service_id = of_service;
    SELECT array_agg(i.id) INTO killed
    FROM heapfleet.instance i WHERE i.service_id = of_service AND i.end_reason = 'oom_killed';
    RETURN QUERY
        SELECT d.version, heapfleet.from_ms(min(l.started_ms)),
            heapfleet.from_ms(max(greatest(l.last_seen_ms, l.started_ms))), count(*) FILTER (WHERE l.live),
            count(l.instance_id), count(*) FILTER (WHERE l.instance_id = ANY (killed))
        FROM unnest(ids, versions) d(id, version)
        LEFT JOIN heapfleet.raw_lives(of_service) l ON l.deployment_id = d.id
        GROUP BY d.id, d.version ORDER BY 2, d.id;
END
$$;

CREATE FUNCTION heapfleet.raw_services()
RETURNS TABLE (service text, environment text, service_namespace text, latest_version text, live bigint,
    instances bigint, last_seen timestamptz, findings bigint)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    of_service record;
BEGIN
    FOR of_service IN SELECT s.id, s.name, s.environment, s.service_namespace FROM heapfleet.service s LOOP
        service := of_service.name;
        environment := of_service.environment;
        service_namespace := of_service.service_namespace;
        latest_version := (SELECT d.version FROM heapfleet.deployment d WHERE d.id = (
            SELECT i.deployment_id FROM heapfleet.instance i WHERE i.service_id = of_service.id
            ORDER BY i.started_ms DESC, i.id DESC LIMIT 1));
        SELECT count(*) FILTER (WHERE l.live), count(*), heapfleet.from_ms(max(l.last_seen_ms))
        INTO live, instances, last_seen FROM heapfleet.raw_lives(of_service.id) l;
        findings := (SELECT count(*) FROM heapfleet.finding f WHERE f.service_id = of_service.id
            AND f.closed_ms IS NULL AND f.severity <> 'watch');
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION heapfleet.raw_services() IS 'The rows of the view services.';

CREATE OR REPLACE VIEW heapfleet.services AS
    SELECT s.service, s.environment, s.service_namespace, s.latest_version, s.live, s.instances, s.last_seen, s.findings
    FROM heapfleet.raw_services() s;

-- ---- partitions ------------------------------------------------------------------------------

-- As before, but for two races of several sessions. A partition that another has just dropped may still be
-- on Citus's workers when it is gone from here, until that session's locks are: its lock is waited for.
-- And what another made while we waited is looked for in the tables of the catalogue: to_regclass has
-- remembered that it was not there.
CREATE OR REPLACE FUNCTION heapfleet.make_partition(level text, at_ms bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    width bigint := (SELECT l.width_ms FROM heapfleet.level l WHERE l.name = level);
    from_ms bigint := at_ms - mod(at_ms, width);
    partition text := heapfleet.partition_name(level, at_ms);
    there record;
BEGIN
    IF EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass('heapfleet.' || partition)
               AND inhparent = ('heapfleet.' || level)::regclass) THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(29384657391743093);
    PERFORM pg_advisory_xact_lock_shared(29384657391743094); -- who drops one
    SELECT c.oid, EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = c.oid
        AND h.inhparent = ('heapfleet.' || level)::regclass) AS is_partition INTO there
    FROM pg_class c WHERE c.relnamespace = 'heapfleet'::regnamespace AND c.relname = partition;
    IF there.is_partition THEN
        RETURN false;
    END IF;
    IF there.oid IS NOT NULL THEN
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
