-- What people who ask and mend by hand ran into: of a name in two namespaces none could be asked for, a service that
-- is in another environment was denied, spans without an end were empty instead of refused, and a partition that
-- an administrator had made was theirs, so that the collector could not drop it.

-- ---- which service ---------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION heapfleet.service_id(service text, environment text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
    ids bigint[];
    found text;
BEGIN
    SELECT array_agg(s.id), string_agg(format('%L in %L', CASE WHEN n.is_shared THEN s.service_namespace || '/' ELSE '' END
        || s.name, s.environment), ', ' ORDER BY s.service_namespace, s.environment) INTO ids, found
    FROM heapfleet.service s
    CROSS JOIN (SELECT count(DISTINCT s.service_namespace) > 1 AS is_shared
        FROM heapfleet.service s WHERE s.name = service_id.service) n
    WHERE s.name = service_id.service
        AND (service_id.environment IS NULL OR s.environment = service_id.environment);
    IF ids IS NULL THEN
        SELECT array_agg(s.id), string_agg(format('%L in %L', service_id.service, s.environment), ', '
            ORDER BY s.environment) INTO ids, found
        FROM heapfleet.service s
        WHERE s.service_namespace || '/' || s.name = service_id.service
            AND (service_id.environment IS NULL OR s.environment = service_id.environment);
    END IF;
    IF cardinality(ids) = 1 THEN
        RETURN ids[1];
    ELSIF cardinality(ids) > 1 THEN
        RAISE EXCEPTION 'service % is in several environments or namespaces: %', quote_literal(service), found
            USING HINT = 'Name one: environment => ''...'', and the service as it is written here.';
    END IF;
    SELECT string_agg(format('%L', s.environment), ', ' ORDER BY s.environment) INTO found
    FROM heapfleet.service s
    WHERE service_id.service IN (s.name, s.service_namespace || '/' || s.name);
    IF found IS NOT NULL THEN
        RAISE EXCEPTION 'service % is not in environment %', quote_literal(service), quote_literal(environment)
            USING HINT = 'It is in ' || found || '.';
    END IF;
    SELECT string_agg(format('%L', n.name), ', ') INTO found
    FROM (SELECT DISTINCT s.name FROM heapfleet.service s ORDER BY 1 LIMIT 8) n;
    RAISE EXCEPTION 'there is no service %', quote_literal(service)
        USING HINT = coalesce('There is ' || found || '.', 'No service has reported yet.');
END
$$;
COMMENT ON FUNCTION heapfleet.service_id(text, text) IS
    'service.id of a name; an error that says which there are when there is none, or several. A name that is in several '
    'namespaces is written namespace/name, and /name for the one without a namespace.';

-- ---- spans ---------------------------------------------------------------------------------------

CREATE FUNCTION heapfleet.raw_check_span(from_time timestamptz, to_time timestamptz) RETURNS void
LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF from_time IS NULL THEN
        RAISE EXCEPTION 'a span needs a time to begin at'
            USING HINT = 'All there is: ''-infinity''.';
    ELSIF from_time >= to_time THEN
        RAISE EXCEPTION 'the span ends before it begins';
    END IF;
END
$$;
COMMENT ON FUNCTION heapfleet.raw_check_span(timestamptz, timestamptz) IS
    'Nothing, or an error that says what is wrong with a span.';

CREATE OR REPLACE FUNCTION heapfleet.snapshots(service text, type text, from_time timestamptz, to_time timestamptz DEFAULT now(),
    of_version text DEFAULT NULL, environment text DEFAULT NULL)
RETURNS TABLE ("time" timestamptz, instance uuid, version text, count bigint, bytes bigint)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    of_service bigint := heapfleet.service_id(snapshots.service, snapshots.environment);
    until_time timestamptz := coalesce(to_time, now());
    ids bigint[];
    uuids uuid[];
    versions text[];
BEGIN
    PERFORM heapfleet.raw_check_span(from_time, until_time);
    SELECT array_agg(i.id), array_agg(i.uuid), array_agg(d.version) INTO ids, uuids, versions
    FROM heapfleet.instance i
    JOIN heapfleet.deployment d ON d.service_id = of_service AND d.id = i.deployment_id
    WHERE i.service_id = of_service;
    RETURN QUERY SELECT heapfleet.from_ms(r.time_ms), i.uuid, i.version, r.count, r.bytes
        FROM heapfleet.raw_type(of_service, heapfleet.type_id(of_service, snapshots.type),
            heapfleet.to_ms(from_time), heapfleet.to_ms(until_time),
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
    PERFORM heapfleet.raw_check_span(from_time, to_time);
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

-- ---- partitions ------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION heapfleet.make_partition(level text, at_ms bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    width bigint := (SELECT l.width_ms FROM heapfleet.level l WHERE l.name = level);
    from_ms bigint := at_ms - mod(at_ms, width);
    partition text;
    owner text;
    there record;
BEGIN
    IF width IS NULL THEN
        RAISE EXCEPTION 'there is no level %', quote_literal(level)
            USING HINT = 'There is ' || (SELECT string_agg(l.name, ', ' ORDER BY l.name) FROM heapfleet.level l) || '.';
    ELSIF at_ms IS NULL OR at_ms NOT BETWEEN 0 AND 253402300799999 THEN
        RAISE EXCEPTION 'times are milliseconds since 1970, up to the year 9999: % is none', at_ms;
    END IF;
    partition := heapfleet.partition_name(level, at_ms);
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
        PERFORM heapfleet.key_hot_partition(format('heapfleet.%I', partition)::regclass);
        EXECUTE format('ALTER TABLE heapfleet.%I SET (autovacuum_enabled = off)', partition);
    END IF;
    EXECUTE format('ALTER TABLE heapfleet.%I ATTACH PARTITION heapfleet.%I FOR VALUES FROM (%s) TO (%s)',
            level, partition, from_ms, from_ms + width);
    owner := (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = ('heapfleet.' || level)::regclass);
    IF owner <> current_user THEN -- who made it in the owner's place must not keep it
        EXECUTE format('ALTER TABLE heapfleet.%I OWNER TO %I', partition, owner);
    END IF;
    RETURN true;
END
$$;

CREATE OR REPLACE VIEW heapfleet.partition AS
    SELECT l.name AS level, c.relname::text AS name, b.from_ms, t.to_ms, heapfleet.from_ms(b.from_ms) AS from_time,
        heapfleet.from_ms(t.to_ms) AS to_time
    FROM heapfleet.level l
    JOIN pg_inherits h ON h.inhparent = ('heapfleet.' || l.name)::regclass
    JOIN pg_class c ON c.oid = h.inhrelid
    CROSS JOIN LATERAL (SELECT substr(c.relname::text, length(l.name) + 2) AS begin) s
    CROSS JOIN LATERAL (SELECT s.begin, s.begin ~ '^[0-9]{8}(_[0-9]{2})?$' AS is_ours) n
    CROSS JOIN LATERAL (SELECT CASE WHEN n.is_ours
        THEN (substr(n.begin, 1, 8)::date - date '1970-01-01') * bigint '86400000'
            + coalesce(nullif(substr(n.begin, 10), '')::bigint, 0) * 3600000
        ELSE substring(pg_get_expr(c.relpartbound, c.oid) FROM 'FROM \(''?(-?[0-9]+)')::bigint
        END AS from_ms) b
    CROSS JOIN LATERAL (SELECT CASE WHEN n.is_ours THEN b.from_ms + l.width_ms
        ELSE substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''?(-?[0-9]+)')::bigint END AS to_ms) t;
COMMENT ON COLUMN heapfleet.partition.from_time IS 'from_ms as a moment.';
COMMENT ON COLUMN heapfleet.partition.to_time IS 'to_ms as a moment.';

-- ---- the last objects without words --------------------------------------------------------------

DO $$
DECLARE
    drawn record;
BEGIN
    FOR drawn IN SELECT c.oid::regclass AS name FROM pg_class c
            WHERE c.relnamespace = 'heapfleet'::regnamespace AND c.relkind = 'S' LOOP
        EXECUTE format('COMMENT ON SEQUENCE %s IS %L', drawn.name, 'Draws the ids of the table that it is named after.');
    END LOOP;
END
$$;
