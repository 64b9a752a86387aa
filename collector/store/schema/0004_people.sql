-- History for people who speak SQL: functions and views over the tables of 0002, with bounds that
-- reach the partitions; and a role that may only read. They give the same answers as the Query
-- service (proto/heapfleet/v1/query.proto). What begins with raw_ decodes what is stored, and is
-- what the others are made of.

-- ---- names ---------------------------------------------------------------------------------

CREATE FUNCTION heapfleet.to_ms(moment timestamptz) RETURNS bigint
LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN moment = '-infinity' THEN 0 WHEN moment = 'infinity' THEN 253402300799999
           ELSE floor(extract(epoch FROM moment) * 1000)::bigint END
$$;
COMMENT ON FUNCTION heapfleet.to_ms(timestamptz) IS 'A moment as milliseconds since 1970, as the tables have it.';

CREATE FUNCTION heapfleet.from_ms(ms bigint) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT timestamptz '1970-01-01 00:00:00+00' + ms * interval '1 millisecond'
$$;
COMMENT ON FUNCTION heapfleet.from_ms(bigint) IS 'Milliseconds since 1970 as a moment.';

CREATE FUNCTION heapfleet.service_id(service text, environment text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
    ids bigint[];
    found text;
BEGIN
    SELECT array_agg(s.id), string_agg(format('%L', s.environment), ', ' ORDER BY s.environment) INTO ids, found
    FROM heapfleet.service s
    WHERE s.name = service_id.service
        AND (service_id.environment IS NULL OR s.environment = service_id.environment);
    IF cardinality(ids) = 1 THEN
        RETURN ids[1];
    ELSIF cardinality(ids) > 1 THEN
        RAISE EXCEPTION 'service % is in several environments or namespaces: %', quote_literal(service), found
            USING HINT = 'Name one: environment => ...';
    END IF;
    SELECT string_agg(format('%L', n.name), ', ') INTO found
    FROM (SELECT DISTINCT s.name FROM heapfleet.service s ORDER BY 1 LIMIT 8) n;
    RAISE EXCEPTION 'there is no service %', quote_literal(service)
        USING HINT = coalesce('There is ' || found || '.', 'No service has reported yet.');
END
$$;
COMMENT ON FUNCTION heapfleet.service_id(text, text) IS
    'service.id of a name; an error that says which there are when there is none, or several.';

CREATE FUNCTION heapfleet.type_id(service_id bigint, type text) RETURNS integer
LANGUAGE plpgsql STABLE AS $$
DECLARE
    found integer := (SELECT t.id FROM heapfleet.type t WHERE t.name = type_id.type);
BEGIN
    IF found IS NULL OR NOT EXISTS (SELECT FROM heapfleet.instance i
            WHERE i.service_id = type_id.service_id AND found = ANY (i.type_ids)) THEN
        RAISE EXCEPTION 'the service has no type %', quote_literal(type)
            USING HINT = 'Types are written as Python shows them: dict, shop.models.Order.';
    END IF;
    RETURN found;
END
$$;
COMMENT ON FUNCTION heapfleet.type_id(bigint, text) IS
    'type.id of a type that a process of the service has; an error when none has.';

CREATE FUNCTION heapfleet.deployment_id(service_id bigint, version text) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
    found bigint;
    known text;
BEGIN
    IF version IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT d.id INTO found FROM heapfleet.deployment d
    WHERE d.service_id = deployment_id.service_id AND d.version = deployment_id.version;
    IF found IS NULL THEN
        SELECT string_agg(format('%L', v.version), ', ') INTO known
        FROM (SELECT d.version FROM heapfleet.deployment d WHERE d.service_id = deployment_id.service_id
              ORDER BY d.id DESC LIMIT 8) v;
        RAISE EXCEPTION 'the service has no version %', quote_literal(version)
            USING HINT = 'It has ' || coalesce(known, 'none yet') || '.';
    END IF;
    RETURN found;
END
$$;
COMMENT ON FUNCTION heapfleet.deployment_id(bigint, text) IS
    'deployment.id of a version; NULL for NULL; an error that says which there are when there is none.';

-- ---- decoding ------------------------------------------------------------------------------

CREATE FUNCTION heapfleet.raw_series(changes bytea, first_count bigint, first_bytes bigint, snapshots integer)
RETURNS TABLE (place integer, count bigint, bytes bigint)
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE ROWS 240 AS $$
DECLARE
    at integer := 0;
    size integer := length(changes);
    change_at integer := 0; -- the snapshot of the next change, from 1; 0: none follows
    byte integer;
    shift integer;
    head bigint := 0;
    coded bigint;
    difference bigint;
    unit bigint;
BEGIN
    count := first_count;
    bytes := first_bytes;
    IF size = 0 THEN
        RETURN QUERY SELECT n, first_count, first_bytes FROM generate_series(1, snapshots) n;
        RETURN;
    END IF;
    -- Varints are read in place, here and below: a call for each would take ten times as long.
    FOR n IN 1 .. snapshots LOOP
        place := n;
        IF n = change_at THEN
            byte := get_byte(changes, at); at := at + 1; coded := byte & 127; shift := 0;
            WHILE byte >= 128 LOOP
                shift := shift + 7; byte := get_byte(changes, at); at := at + 1;
                coded := coded | ((byte & 127)::bigint << shift);
            END LOOP;
            difference := ((coded >> 1) & 9223372036854775807) # -(coded & 1);
            unit := CASE WHEN count > 0 THEN bytes / count ELSE 0 END;
            count := count + difference;
            bytes := bytes + difference * unit;
            IF (head & 1) = 1 THEN
                byte := get_byte(changes, at); at := at + 1; coded := byte & 127; shift := 0;
                WHILE byte >= 128 LOOP
                    shift := shift + 7; byte := get_byte(changes, at); at := at + 1;
                    coded := coded | ((byte & 127)::bigint << shift);
                END LOOP;
                bytes := bytes + (((coded >> 1) & 9223372036854775807) # -(coded & 1));
            END IF;
        END IF;
        IF (n = change_at OR n = 1) AND at < size THEN
            byte := get_byte(changes, at); at := at + 1; head := byte & 127; shift := 0;
            WHILE byte >= 128 LOOP
                shift := shift + 7; byte := get_byte(changes, at); at := at + 1;
                head := head | ((byte & 127)::bigint << shift);
            END LOOP;
            change_at := n + 1 + (head >> 1)::integer;
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION heapfleet.raw_series(bytea, bigint, bigint, integer) IS
    'The values of one type in each snapshot of a heap_chunk, of its stretch of payload and its first values.';

CREATE FUNCTION heapfleet.raw_body_value(body bytea, index integer, INOUT count bigint, INOUT bytes bigint)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    format integer := get_byte(body, 0);
    size integer := length(body);
    at integer := 1;
    byte integer;
    shift integer;
    here integer := -1;
    ends integer := 0;
    types bigint;
    head bigint;
    coded bigint;
    residual bigint;
BEGIN
    byte := get_byte(body, at); at := at + 1; types := byte & 127; shift := 0;
    WHILE byte >= 128 LOOP
        shift := shift + 7; byte := get_byte(body, at); at := at + 1;
        types := types | ((byte & 127)::bigint << shift);
    END LOOP;
    IF format = 16 THEN -- a keyframe
        IF index >= types THEN
            count := 0;
            bytes := 0;
            RETURN;
        END IF;
        WHILE ends < 2 * index LOOP -- a varint ends where a byte is below 128
            IF get_byte(body, at) < 128 THEN
                ends := ends + 1;
            END IF;
            at := at + 1;
        END LOOP;
        byte := get_byte(body, at); at := at + 1; count := byte & 127; shift := 0;
        WHILE byte >= 128 LOOP
            shift := shift + 7; byte := get_byte(body, at); at := at + 1;
            count := count | ((byte & 127)::bigint << shift);
        END LOOP;
        byte := get_byte(body, at); at := at + 1; bytes := byte & 127; shift := 0;
        WHILE byte >= 128 LOOP
            shift := shift + 7; byte := get_byte(body, at); at := at + 1;
            bytes := bytes | ((byte & 127)::bigint << shift);
        END LOOP;
        RETURN;
    END IF;
    WHILE at < size LOOP
        byte := get_byte(body, at); at := at + 1; head := byte & 127; shift := 0;
        WHILE byte >= 128 LOOP
            shift := shift + 7; byte := get_byte(body, at); at := at + 1;
            head := head | ((byte & 127)::bigint << shift);
        END LOOP;
        here := here + 1 + CASE WHEN format = 17 THEN head ELSE head >> 1 END::integer;
        EXIT WHEN here > index;
        byte := get_byte(body, at); at := at + 1; coded := byte & 127; shift := 0;
        WHILE byte >= 128 LOOP
            shift := shift + 7; byte := get_byte(body, at); at := at + 1;
            coded := coded | ((byte & 127)::bigint << shift);
        END LOOP;
        residual := 0;
        IF format = 17 OR (head & 1) = 1 THEN
            byte := get_byte(body, at); at := at + 1; residual := byte & 127; shift := 0;
            WHILE byte >= 128 LOOP
                shift := shift + 7; byte := get_byte(body, at); at := at + 1;
                residual := residual | ((byte & 127)::bigint << shift);
            END LOOP;
        END IF;
        IF here = index THEN
            coded := ((coded >> 1) & 9223372036854775807) # -(coded & 1);
            residual := ((residual >> 1) & 9223372036854775807) # -(residual & 1);
            bytes := bytes + coded * CASE WHEN count > 0 THEN bytes / count ELSE 0 END + residual;
            count := count + coded;
            RETURN;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION heapfleet.raw_body_value(bytea, integer, bigint, bigint) IS
    'The value of a type, by its place in type_ids counted from 0, after a snapshot''s body was applied.';

CREATE FUNCTION heapfleet.raw_body_values(body bytea, INOUT counts bigint[], INOUT bytes bigint[])
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    format integer := get_byte(body, 0);
    size integer := length(body);
    at integer := 1;
    byte integer;
    shift integer;
    here integer := 0;
    types bigint;
    head bigint;
    coded bigint;
    residual bigint;
BEGIN
    byte := get_byte(body, at); at := at + 1; types := byte & 127; shift := 0;
    WHILE byte >= 128 LOOP
        shift := shift + 7; byte := get_byte(body, at); at := at + 1;
        types := types | ((byte & 127)::bigint << shift);
    END LOOP;
    IF format = 16 THEN
        counts := array_fill(0::bigint, ARRAY[types::integer]);
        bytes := counts;
        FOR n IN 1 .. types LOOP
            byte := get_byte(body, at); at := at + 1; coded := byte & 127; shift := 0;
            WHILE byte >= 128 LOOP
                shift := shift + 7; byte := get_byte(body, at); at := at + 1;
                coded := coded | ((byte & 127)::bigint << shift);
            END LOOP;
            counts[n] := coded;
            byte := get_byte(body, at); at := at + 1; coded := byte & 127; shift := 0;
            WHILE byte >= 128 LOOP
                shift := shift + 7; byte := get_byte(body, at); at := at + 1;
                coded := coded | ((byte & 127)::bigint << shift);
            END LOOP;
            bytes[n] := coded;
        END LOOP;
        RETURN;
    END IF;
    IF types > cardinality(counts) THEN
        counts := counts || array_fill(0::bigint, ARRAY[(types - cardinality(counts))::integer]);
        bytes := bytes || array_fill(0::bigint, ARRAY[(types - cardinality(bytes))::integer]);
    END IF;
    WHILE at < size LOOP
        byte := get_byte(body, at); at := at + 1; head := byte & 127; shift := 0;
        WHILE byte >= 128 LOOP
            shift := shift + 7; byte := get_byte(body, at); at := at + 1;
            head := head | ((byte & 127)::bigint << shift);
        END LOOP;
        here := here + 1 + CASE WHEN format = 17 THEN head ELSE head >> 1 END::integer;
        byte := get_byte(body, at); at := at + 1; coded := byte & 127; shift := 0;
        WHILE byte >= 128 LOOP
            shift := shift + 7; byte := get_byte(body, at); at := at + 1;
            coded := coded | ((byte & 127)::bigint << shift);
        END LOOP;
        residual := 0;
        IF format = 17 OR (head & 1) = 1 THEN
            byte := get_byte(body, at); at := at + 1; residual := byte & 127; shift := 0;
            WHILE byte >= 128 LOOP
                shift := shift + 7; byte := get_byte(body, at); at := at + 1;
                residual := residual | ((byte & 127)::bigint << shift);
            END LOOP;
        END IF;
        coded := ((coded >> 1) & 9223372036854775807) # -(coded & 1);
        residual := ((residual >> 1) & 9223372036854775807) # -(residual & 1);
        bytes[here] := bytes[here] + residual
            + coded * CASE WHEN counts[here] > 0 THEN bytes[here] / counts[here] ELSE 0 END;
        counts[here] := counts[here] + coded;
    END LOOP;
END
$$;
COMMENT ON FUNCTION heapfleet.raw_body_values(bytea, bigint[], bigint[]) IS
    'The values of all types, in the order of type_ids, after a snapshot''s body was applied.';

CREATE FUNCTION heapfleet.raw_chunk_values(service_id bigint, instance_id bigint, slot_ms bigint, place integer,
    type_index integer)
RETURNS TABLE (counts bigint[], bytes bigint[])
LANGUAGE sql STABLE ROWS 1 AS $$
    SELECT array_agg(v.count ORDER BY n), array_agg(v.bytes ORDER BY n)
    FROM heapfleet.heap_chunk c, generate_subscripts(c.counts, 1) n
    CROSS JOIN LATERAL (SELECT coalesce(c.ends[n - 1], 0) AS begins) b
    CROSS JOIN LATERAL (
        SELECT c.counts[n] AS count, c.bytes[n] AS bytes WHERE c.ends[n] = b.begins
        UNION ALL
        SELECT s.count, s.bytes FROM heapfleet.raw_series(
            substring(c.payload FROM b.begins + 1 FOR c.ends[n] - b.begins), c.counts[n], c.bytes[n], $4) s
        WHERE c.ends[n] > b.begins AND s.place = $4) v
    WHERE c.service_id = $1 AND c.instance_id = $2 AND c.slot_ms = $3 AND ($5 IS NULL OR n = $5 + 1)
$$;
COMMENT ON FUNCTION heapfleet.raw_chunk_values(bigint, bigint, bigint, integer, integer) IS
    'The values of all types, in the order of type_ids, in one snapshot of a heap_chunk, counted from 1; or '
    'of one type, by its place from 0.';

CREATE FUNCTION heapfleet.raw_base(service_id bigint, instance_id bigint, base bigint, near_ms bigint, type_index integer)
RETURNS TABLE (counts bigint[], bytes bigint[])
LANGUAGE plpgsql STABLE ROWS 1 AS $$
DECLARE
    chunk record;
BEGIN
    SELECT c.slot_ms, cardinality(c.times_ms) AS snapshots INTO chunk FROM heapfleet.heap_chunk c
    WHERE c.service_id = raw_base.service_id AND c.instance_id = raw_base.instance_id AND c.last_sequence = base
        AND c.slot_ms BETWEEN near_ms - 604800000 AND near_ms + 86400000;
    IF FOUND THEN
        RETURN QUERY SELECT * FROM heapfleet.raw_chunk_values(service_id, instance_id, chunk.slot_ms, chunk.snapshots,
            type_index);
    ELSIF type_index IS NULL THEN
        RETURN QUERY SELECT v.counts, v.bytes FROM heapfleet.instance_last l,
            heapfleet.raw_body_values(l.body, '{}', '{}') v
        WHERE l.service_id = raw_base.service_id AND l.instance_id = raw_base.instance_id AND l.sequence = base;
    ELSE
        RETURN QUERY SELECT ARRAY[v.count], ARRAY[v.bytes] FROM heapfleet.instance_last l,
            heapfleet.raw_body_value(l.body, type_index, 0, 0) v
        WHERE l.service_id = raw_base.service_id AND l.instance_id = raw_base.instance_id AND l.sequence = base;
    END IF;
END
$$;
COMMENT ON FUNCTION heapfleet.raw_base(bigint, bigint, bigint, bigint, integer) IS
    'What the oldest hot snapshot builds on: the values of all types, or of one, in the newest compacted one, '
    'which is at most a week older.';

CREATE FUNCTION heapfleet.raw_hot(service_id bigint, instance_id bigint, type_index integer, from_ms bigint, to_ms bigint)
RETURNS TABLE (time_ms bigint, count bigint, bytes bigint)
LANGUAGE plpgsql STABLE ROWS 240 AS $$
DECLARE
    snap record;
    behind bigint := 0; -- the sequence of `count` and `bytes`; 0: they are unknown
    base record;
BEGIN
    FOR snap IN
        WITH w AS MATERIALIZED (SELECT min(s.sequence) AS lo, max(s.sequence) AS hi FROM heapfleet.snap_delta s
            WHERE s.service_id = raw_hot.service_id AND s.instance_id = raw_hot.instance_id
                AND s.time_ms BETWEEN raw_hot.from_ms AND raw_hot.to_ms)
        SELECT s.sequence, s.time_ms, s.base_sequence, s.body FROM heapfleet.snap_delta s
        WHERE s.service_id = raw_hot.service_id AND s.instance_id = raw_hot.instance_id
            AND s.sequence <= (SELECT w.hi FROM w) AND s.sequence >= coalesce(
                (SELECT k.sequence FROM heapfleet.snap_delta k
                 WHERE k.service_id = raw_hot.service_id AND k.instance_id = raw_hot.instance_id
                    AND k.sequence <= (SELECT w.lo FROM w) AND k.base_sequence = 0
                 ORDER BY k.sequence DESC LIMIT 1), 0)
        ORDER BY s.sequence
    LOOP
        IF snap.base_sequence <> 0 AND snap.base_sequence <> behind THEN
            behind := 0;
            SELECT v.counts[1] AS count, v.bytes[1] AS bytes INTO base
            FROM heapfleet.raw_base(service_id, instance_id, snap.base_sequence, snap.time_ms, type_index) v;
            CONTINUE WHEN NOT FOUND;
            count := coalesce(base.count, 0);
            bytes := coalesce(base.bytes, 0);
        END IF;
        SELECT v.count, v.bytes INTO count, bytes
        FROM heapfleet.raw_body_value(snap.body, type_index, count, bytes) v;
        behind := snap.sequence;
        time_ms := snap.time_ms;
        IF time_ms BETWEEN raw_hot.from_ms AND raw_hot.to_ms THEN
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION heapfleet.raw_hot(bigint, bigint, integer, bigint, bigint) IS
    'One type of a process, by its place in type_ids from 0, in the snapshots of snap_delta.';

CREATE FUNCTION heapfleet.raw_type(service_id bigint, type_id integer, from_ms bigint, to_ms bigint, of_deployment bigint)
RETURNS TABLE (instance_id bigint, time_ms bigint, count bigint, bytes bigint)
LANGUAGE plpgsql STABLE ROWS 10000 AS $$
BEGIN
    RETURN QUERY WITH process AS MATERIALIZED (
        SELECT i.id, array_position(i.type_ids, $2) AS n FROM heapfleet.instance i
        WHERE i.service_id = $1 AND (of_deployment IS NULL OR i.deployment_id = of_deployment) AND i.started_ms <= $4)
    SELECT p.id, c.slot_ms + c.times_ms[v.place], v.count, v.bytes
    FROM process p
    JOIN heapfleet.heap_chunk c ON c.service_id = $1 AND c.instance_id = p.id
        AND c.slot_ms > $3 - 14400000 AND c.slot_ms <= $4
    CROSS JOIN LATERAL (SELECT coalesce(c.ends[p.n - 1], 0) AS begins) b
    CROSS JOIN LATERAL heapfleet.raw_series(
        coalesce(substring(c.payload FROM b.begins + 1 FOR c.ends[p.n] - b.begins), ''),
        coalesce(c.counts[p.n], 0), coalesce(c.bytes[p.n], 0), cardinality(c.times_ms)) v
    WHERE c.slot_ms + c.times_ms[v.place] BETWEEN $3 AND $4
    UNION ALL
    SELECT p.id, h.time_ms, h.count, h.bytes
    FROM process p
    CROSS JOIN LATERAL heapfleet.raw_hot($1, p.id, coalesce(p.n - 1, 2147483646), $3, $4) h
    WHERE NOT EXISTS (SELECT FROM heapfleet.heap_chunk c
        WHERE c.service_id = $1 AND c.instance_id = p.id AND c.slot_ms = h.time_ms - mod(h.time_ms, 14400000)
            AND c.slot_ms > $3 - 14400000 AND c.slot_ms <= $4
            AND (h.time_ms - c.slot_ms)::integer = ANY (c.times_ms));
END
$$;
COMMENT ON FUNCTION heapfleet.raw_type(bigint, integer, bigint, bigint, bigint) IS
    'Every snapshot of the processes of a service, or of one deployment, within the times: one type of each.';

CREATE FUNCTION heapfleet.raw_heap(service_id bigint, instance_id bigint, at_ms bigint)
RETURNS TABLE (type_id integer, count bigint, bytes bigint)
LANGUAGE plpgsql STABLE ROWS 300 AS $$
DECLARE
    slot bigint;
    nth integer;
    chunk_ms bigint;
    hot_ms bigint;
    snap record;
    behind bigint := 0;
    all_counts bigint[];
    all_bytes bigint[];
BEGIN
    SELECT c.slot_ms, t.place, c.slot_ms + t.ms INTO slot, nth, chunk_ms
    FROM heapfleet.heap_chunk c, unnest(c.times_ms) WITH ORDINALITY t(ms, place)
    WHERE c.service_id = raw_heap.service_id AND c.instance_id = raw_heap.instance_id
        AND c.slot_ms = (SELECT max(x.slot_ms) FROM heapfleet.heap_chunk x
            WHERE x.service_id = raw_heap.service_id AND x.instance_id = raw_heap.instance_id
                AND x.slot_ms <= at_ms AND x.slot_ms + x.times_ms[1] <= at_ms)
        AND c.slot_ms + t.ms <= at_ms
    ORDER BY t.place DESC LIMIT 1;
    SELECT max(s.time_ms) INTO hot_ms FROM heapfleet.snap_delta s
    WHERE s.service_id = raw_heap.service_id AND s.instance_id = raw_heap.instance_id AND s.time_ms <= at_ms;
    IF chunk_ms IS NOT NULL AND (hot_ms IS NULL OR hot_ms <= chunk_ms) THEN
        SELECT v.counts, v.bytes INTO all_counts, all_bytes
        FROM heapfleet.raw_chunk_values(service_id, instance_id, slot, nth, NULL) v;
    ELSE
        FOR snap IN
            SELECT s.sequence, s.time_ms, s.base_sequence, s.body FROM heapfleet.snap_delta s
            WHERE s.service_id = raw_heap.service_id AND s.instance_id = raw_heap.instance_id
                AND s.sequence <= (SELECT max(n.sequence) FROM heapfleet.snap_delta n
                    WHERE n.service_id = raw_heap.service_id AND n.instance_id = raw_heap.instance_id
                        AND n.time_ms = hot_ms)
                AND s.sequence >= coalesce((SELECT max(k.sequence) FROM heapfleet.snap_delta k
                    WHERE k.service_id = raw_heap.service_id AND k.instance_id = raw_heap.instance_id
                        AND k.time_ms <= hot_ms AND k.base_sequence = 0), 0)
            ORDER BY s.sequence
        LOOP
            IF snap.base_sequence <> 0 AND snap.base_sequence <> behind THEN
                SELECT v.counts, v.bytes INTO all_counts, all_bytes
                FROM heapfleet.raw_base(service_id, instance_id, snap.base_sequence, snap.time_ms, NULL) v;
                CONTINUE WHEN NOT FOUND;
            END IF;
            SELECT v.counts, v.bytes INTO all_counts, all_bytes
            FROM heapfleet.raw_body_values(snap.body, all_counts, all_bytes) v;
            behind := snap.sequence;
        END LOOP;
    END IF;
    RETURN QUERY SELECT i.type_ids[n], all_counts[n], all_bytes[n]
        FROM heapfleet.instance i, generate_subscripts(all_counts, 1) n
        WHERE i.service_id = raw_heap.service_id AND i.id = raw_heap.instance_id;
END
$$;
COMMENT ON FUNCTION heapfleet.raw_heap(bigint, bigint, bigint) IS
    'All types of a process in its newest snapshot at or before a moment.';

-- ---- lives ---------------------------------------------------------------------------------

CREATE FUNCTION heapfleet.raw_lives(service_id bigint)
RETURNS TABLE (instance_id bigint, deployment_id bigint, started_ms bigint, last_seen_ms bigint,
    interval_ms bigint, live boolean)
LANGUAGE sql STABLE ROWS 100 AS $$
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
    WHERE i.service_id = $1
$$;
COMMENT ON FUNCTION heapfleet.raw_lives(bigint) IS
    'The processes of a service: start, newest snapshot, time between its two newest, and whether it is '
    'alive: not ended, and heard of within three of those times and 5 s.';

CREATE FUNCTION heapfleet.raw_rolled_until(service_id bigint) RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT least(max(d.slot_ms) + 14400000,
            heapfleet.to_ms(now()) / 14400000 * 14400000,
            (SELECT min(c.slot_ms) FROM heapfleet.compaction c
             WHERE c.service_id = $1 AND c.hot_rows <> c.compacted_rows))
        FROM heapfleet.deployment_hour d WHERE d.service_id = $1
        HAVING max(d.slot_ms) IS NOT NULL), 0)
$$;
COMMENT ON FUNCTION heapfleet.raw_rolled_until(bigint) IS
    'Hours of a service that begin here or later are not in heap_hour yet, or not wholly.';

-- ---- series --------------------------------------------------------------------------------

CREATE FUNCTION heapfleet.raw_steps(service_id bigint, type_id integer, from_ms bigint, to_ms bigint,
    step_ms bigint, deployment_id bigint)
RETURNS TABLE (time_ms bigint, count double precision, bytes double precision, instances double precision)
LANGUAGE sql STABLE AS $$
    WITH span AS (SELECT $4 - ($4 - $3 + $5 - 1) / $5 * $5 AS begins),
    stepped AS (
        SELECT r.instance_id, r.time_ms, r.count, r.bytes,
            greatest(r.time_ms - s.begins - 1, 0) / $5 AS step
        FROM span s, heapfleet.raw_type($1, $2, s.begins, $4, $6) r),
    newest AS (
        SELECT DISTINCT ON (n.instance_id, n.step) n.instance_id, n.step, n.count, n.bytes
        FROM stepped n ORDER BY n.instance_id, n.step, n.time_ms DESC),
    placed AS ( -- a process that ended within a step counts only where nobody else is left
        SELECT n.step, n.count, n.bytes,
            NOT l.live AND n.step = greatest(l.last_seen_ms - s.begins - 1, 0) / $5 AS ends
        FROM span s, newest n JOIN heapfleet.raw_lives($1) l ON l.instance_id = n.instance_id)
    SELECT s.begins + (p.step + 1) * $5,
        coalesce(sum(p.count) FILTER (WHERE NOT p.ends), sum(p.count))::double precision,
        coalesce(sum(p.bytes) FILTER (WHERE NOT p.ends), sum(p.bytes))::double precision,
        coalesce(nullif(count(*) FILTER (WHERE NOT p.ends), 0), count(*))::double precision
    FROM span s, placed p GROUP BY s.begins, p.step ORDER BY 1
$$;
COMMENT ON FUNCTION heapfleet.raw_steps(bigint, integer, bigint, bigint, bigint, bigint) IS
    'One type from exact snapshots: sums over processes of each one''s last value in a step; steps are '
    'counted back from the end.';

CREATE FUNCTION heapfleet.raw_means(service_id bigint, type_id integer, from_ms bigint, to_ms bigint,
    unit_ms bigint, of_deployment bigint)
RETURNS TABLE (time_ms bigint, deployment_id bigint, count double precision, bytes double precision, instances integer)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    rolled_ms bigint := heapfleet.raw_rolled_until(service_id);
    hours_ms bigint := from_ms; -- days before are in heap_day
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
        SELECT s.slot_ms + (d.hour - 1) * 3600000, d.deployment_id, coalesce(h.count_avg[d.hour], 0)::double precision,
            coalesce(h.bytes_avg[d.hour], 0)::double precision, d.instances
        FROM generate_series(hours_ms - mod(hours_ms, 14400000), least(rolled_ms, to_ms) - 1, 14400000) s(slot_ms)
        JOIN heapfleet.deployment_hour d ON d.service_id = raw_means.service_id AND d.slot_ms = s.slot_ms
            AND d.slot_ms > hours_ms - 14400000 AND d.slot_ms < to_ms
        LEFT JOIN heapfleet.heap_hour h ON h.service_id = raw_means.service_id AND h.slot_ms = s.slot_ms
            AND h.type_id = raw_means.type_id AND h.deployment_id = d.deployment_id
            AND h.slot_ms > hours_ms - 14400000 AND h.slot_ms < to_ms
        WHERE s.slot_ms + (d.hour - 1) * 3600000 >= hours_ms
            AND s.slot_ms + (d.hour - 1) * 3600000 < least(rolled_ms, to_ms)
            AND (of_deployment IS NULL OR d.deployment_id = of_deployment);
    RETURN QUERY
        SELECT r.time_ms / 3600000 * 3600000, i.deployment_id, avg(r.count)::double precision,
            avg(r.bytes)::double precision, count(DISTINCT r.instance_id)::integer
        FROM heapfleet.raw_type(service_id, type_id, greatest(hours_ms, rolled_ms), to_ms,
            of_deployment) r
        JOIN heapfleet.instance i ON i.service_id = raw_means.service_id AND i.id = r.instance_id
        WHERE rolled_ms < to_ms
        GROUP BY 1, 2;
END
$$;
COMMENT ON FUNCTION heapfleet.raw_means(bigint, integer, bigint, bigint, bigint, bigint) IS
    'One type from heap_day, heap_hour, and what is not rolled up yet: means of a process of each '
    'deployment, by hour or day; days that are not rolled up come as hours.';

CREATE FUNCTION heapfleet.raw_levels(service_id bigint, type_id integer, from_ms bigint, to_ms bigint,
    step_ms bigint, unit_ms bigint, deployment_id bigint)
RETURNS TABLE (time_ms bigint, count double precision, bytes double precision, instances double precision)
LANGUAGE sql STABLE AS $$
    WITH lives AS MATERIALIZED (
        SELECT l.deployment_id, l.started_ms, l.last_seen_ms, l.last_seen_ms + l.interval_ms AS ends_ms
        FROM heapfleet.raw_lives($1) l
        WHERE l.last_seen_ms IS NOT NULL AND ($7 IS NULL OR l.deployment_id = $7)),
    span AS (
        SELECT greatest($3, min(l.started_ms)) / $6 * $6 AS begins FROM lives l
        WHERE l.last_seen_ms >= $3 AND l.started_ms <= $4 HAVING count(*) > 0),
    means AS MATERIALIZED (
        SELECT m.*, CASE WHEN m.instances = 0 THEN $6 ELSE 3600000 END AS width
        FROM span s, heapfleet.raw_means($1, $2, s.begins, $4, $6, $7) m),
    moments AS (SELECT DISTINCT m.time_ms, m.width FROM means m),
    covered AS ( -- the share of each in which there was any process
        SELECT t.time_ms, (SELECT sum(upper(u.r) - lower(u.r)) FROM unnest(range_agg(int8range(
                greatest(l.started_ms, t.time_ms), least(l.ends_ms, t.time_ms + t.width)))) u(r)) AS ms
        FROM moments t JOIN lives l ON l.started_ms < t.time_ms + t.width AND l.ends_ms > t.time_ms
        GROUP BY t.time_ms, t.width),
    weighed AS (
        SELECT m.time_ms, m.count, m.bytes, CASE
            WHEN m.instances <> 0 AND (p.processes IS NULL OR p.processes > m.instances) THEN m.instances
            ELSE coalesce(p.processes, 1) END AS processes
        FROM means m LEFT JOIN LATERAL (
            SELECT sum(least(l.ends_ms, m.time_ms + m.width) - greatest(l.started_ms, m.time_ms))::double precision
                / min(c.ms)::double precision AS processes
            FROM covered c, lives l
            WHERE c.time_ms = m.time_ms AND l.deployment_id = m.deployment_id
                AND l.started_ms < m.time_ms + m.width AND l.ends_ms > m.time_ms) p ON true),
    parts AS (
        SELECT w.time_ms, sum(w.count * w.processes) AS count, sum(w.bytes * w.processes) AS bytes,
            sum(w.processes) AS processes
        FROM weighed w GROUP BY w.time_ms),
    units AS ( -- a day made of hours is their mean
        SELECT p.time_ms / $6 * $6 AS time_ms, avg(p.count) AS count, avg(p.bytes) AS bytes,
            avg(p.processes) AS processes
        FROM parts p GROUP BY 1)
    SELECT least(u.time_ms / $5 * $5 + $5, $4), avg(u.count), avg(u.bytes), greatest(avg(u.processes), 1)
    FROM units u GROUP BY 1 ORDER BY 1
$$;
COMMENT ON FUNCTION heapfleet.raw_levels(bigint, integer, bigint, bigint, bigint, bigint, bigint) IS
    'One type from hours or days: the mean over each step of the sum over processes.';

CREATE FUNCTION heapfleet.series(service text, type text, from_time timestamptz, to_time timestamptz DEFAULT now(),
    step interval DEFAULT NULL, resolution text DEFAULT 'auto', of_version text DEFAULT NULL, environment text DEFAULT NULL)
RETURNS TABLE ("time" timestamptz, count double precision, bytes double precision, instances double precision)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    service_id bigint := heapfleet.service_id(service, environment);
    type_id integer := heapfleet.type_id(service_id, type);
    deployment_id bigint := heapfleet.deployment_id(service_id, of_version);
    from_ms bigint := heapfleet.to_ms(from_time);
    to_ms bigint := heapfleet.to_ms(least(to_time, now()));
    step_ms bigint := floor(extract(epoch FROM step) * 1000);
    unit_ms bigint;
BEGIN
    IF from_ms >= to_ms THEN
        RAISE EXCEPTION 'the span ends before it begins, or begins in the future';
    ELSIF resolution NOT IN ('auto', 'minute', 'hour', 'day') THEN
        RAISE EXCEPTION 'there is no resolution %', quote_literal(resolution)
            USING HINT = 'It is auto, minute, hour or day.';
    ELSIF step_ms <= 0 THEN
        RAISE EXCEPTION 'a step must be longer than nothing';
    END IF;
    IF resolution = 'auto' THEN
        resolution := CASE
            WHEN to_ms - from_ms <= 129600000 OR mod(step_ms, 3600000) <> 0 THEN 'minute'
            WHEN (step_ms IS NULL AND to_ms - from_ms > 7948800000) OR mod(step_ms, 86400000) = 0 THEN 'day'
            ELSE 'hour' END;
    END IF;
    unit_ms := CASE resolution WHEN 'hour' THEN 3600000 WHEN 'day' THEN 86400000 ELSE 1 END;
    step_ms := coalesce(step_ms, CASE WHEN unit_ms > 1 THEN unit_ms ELSE
        (SELECT min(w.width) FROM unnest('{120000,300000,600000,900000,1800000,3600000}'::bigint[]) w(width)
         WHERE (to_ms - from_ms) / w.width <= 720 OR w.width = 3600000) END);
    IF mod(step_ms, unit_ms) <> 0 THEN
        RAISE EXCEPTION 'a step of resolution % must be a multiple of one %', resolution, resolution;
    ELSIF (to_ms - from_ms) / step_ms > 10000 THEN
        RAISE EXCEPTION 'the span has % steps: at most 10000', (to_ms - from_ms) / step_ms
            USING HINT = 'Ask for wider ones: step => ''1 hour'', or resolution => ''day''.';
    END IF;
    IF unit_ms > 1 THEN
        RETURN QUERY SELECT heapfleet.from_ms(s.time_ms), s.count, s.bytes, s.instances
            FROM heapfleet.raw_levels(service_id, type_id, from_ms, to_ms, step_ms, unit_ms, deployment_id) s;
    ELSE
        RETURN QUERY SELECT heapfleet.from_ms(s.time_ms), s.count, s.bytes, s.instances
            FROM heapfleet.raw_steps(service_id, type_id, from_ms, to_ms, step_ms, deployment_id) s;
    END IF;
END
$$;
COMMENT ON FUNCTION heapfleet.series(text, text, timestamptz, timestamptz, interval, text, text, text) IS
    'One type of a service over time, sums over its processes: SELECT * FROM heapfleet.series(''shop'', '
    '''dict'', now() - interval ''1 day''). Resolution minute: the last snapshot of each process in a step; '
    'hour and day: means; auto: minutes up to 36 hours, hours up to 92 days. In Grafana: '
    'series(''$service'', ''$type'', $__timeFrom(), $__timeTo()).';

CREATE FUNCTION heapfleet.snapshots(service text, type text, from_time timestamptz, to_time timestamptz DEFAULT now(),
    of_version text DEFAULT NULL, environment text DEFAULT NULL)
RETURNS TABLE ("time" timestamptz, instance uuid, version text, count bigint, bytes bigint)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    of_service bigint := heapfleet.service_id(snapshots.service, snapshots.environment);
BEGIN
    RETURN QUERY SELECT heapfleet.from_ms(r.time_ms), i.uuid, d.version, r.count, r.bytes
        FROM heapfleet.raw_type(of_service, heapfleet.type_id(of_service, snapshots.type),
            heapfleet.to_ms(from_time), heapfleet.to_ms(to_time),
            heapfleet.deployment_id(of_service, of_version)) r
        JOIN heapfleet.instance i ON i.service_id = of_service AND i.id = r.instance_id
        JOIN heapfleet.deployment d ON d.service_id = of_service AND d.id = i.deployment_id
        ORDER BY 1, 2;
END
$$;
COMMENT ON FUNCTION heapfleet.snapshots(text, text, timestamptz, timestamptz, text, text) IS
    'Every snapshot of every process of a service within the times, as it was: one type of each.';

-- ---- growth and comparison -----------------------------------------------------------------

CREATE FUNCTION heapfleet.raw_hour(service_id bigint, hour_ms bigint, deployment_id bigint)
RETURNS TABLE (type_id integer, count double precision, bytes double precision)
LANGUAGE sql STABLE ROWS 300 AS $$
    WITH d AS MATERIALIZED (
        SELECT d.deployment_id, d.snapshots, sum(d.snapshots) OVER () AS total
        FROM heapfleet.deployment_hour d
        WHERE d.service_id = $1 AND d.slot_ms = $2 - mod($2, 14400000) AND d.hour = mod($2, 14400000) / 3600000 + 1
            AND ($3 IS NULL OR d.deployment_id = $3))
    SELECT h.type_id, sum(h.count_avg[mod($2, 14400000) / 3600000 + 1]::double precision * d.snapshots / d.total),
        sum(h.bytes_avg[mod($2, 14400000) / 3600000 + 1]::double precision * d.snapshots / d.total)
    FROM d JOIN heapfleet.heap_hour h ON h.service_id = $1 AND h.slot_ms = $2 - mod($2, 14400000)
        AND h.deployment_id = d.deployment_id
    GROUP BY h.type_id
$$;
COMMENT ON FUNCTION heapfleet.raw_hour(bigint, bigint, bigint) IS
    'All types of a service, or one deployment, in an hour that is rolled up: means over all snapshots.';

CREATE FUNCTION heapfleet.top_growth(service text, from_time timestamptz, to_time timestamptz DEFAULT now(),
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
    RETURN QUERY
        SELECT t.name, coalesce(a.count, 0), coalesce(b.count, 0), coalesce(a.bytes, 0), coalesce(b.bytes, 0),
            coalesce(b.bytes, 0) - coalesce(a.bytes, 0), heapfleet.from_ms(first_ms), heapfleet.from_ms(last_ms)
        FROM heapfleet.raw_hour(of_service, first_ms, of_deployment) a
        FULL JOIN heapfleet.raw_hour(of_service, last_ms, of_deployment) b ON b.type_id = a.type_id
        JOIN heapfleet.type t ON t.id = coalesce(a.type_id, b.type_id)
        WHERE a.count > 0 OR b.count > 0 OR a.bytes > 0 OR b.bytes > 0
        ORDER BY 6 DESC, t.id;
END
$$;
COMMENT ON FUNCTION heapfleet.top_growth(text, timestamptz, timestamptz, text, text) IS
    'What every type of a service has gained: the mean of a process in the first and in the last whole hour '
    'of the span that are rolled up, by the difference of bytes, largest first. Add a LIMIT.';

CREATE FUNCTION heapfleet.raw_usual_uptime(service_id bigint, deployment_id bigint) RETURNS bigint
LANGUAGE sql STABLE AS $$
    SELECT (array_agg(l.last_seen_ms - l.started_ms ORDER BY l.last_seen_ms - l.started_ms DESC))[count(*) / 2 + 1]
    FROM heapfleet.raw_lives($1) l WHERE l.deployment_id = $2 AND l.last_seen_ms IS NOT NULL
$$;
COMMENT ON FUNCTION heapfleet.raw_usual_uptime(bigint, bigint) IS
    'The uptime that more than half of a deployment''s processes have reached, in milliseconds.';

CREATE FUNCTION heapfleet.raw_version_at(service_id bigint, deployment_id bigint, uptime_ms bigint)
RETURNS TABLE (type_id integer, count double precision, bytes double precision, instances bigint)
LANGUAGE sql STABLE ROWS 300 AS $$
    WITH process AS MATERIALIZED (
        SELECT l.instance_id, l.started_ms FROM heapfleet.raw_lives($1) l
        WHERE l.deployment_id = $2 AND l.last_seen_ms - l.started_ms >= $3),
    held AS MATERIALIZED (
        SELECT p.instance_id, h.* FROM process p CROSS JOIN LATERAL
            heapfleet.raw_heap($1, p.instance_id, p.started_ms + $3) h)
    SELECT h.type_id, sum(h.count)::double precision / t.n, sum(h.bytes)::double precision / t.n, t.n
    FROM held h, (SELECT count(DISTINCT x.instance_id) AS n FROM held x) t GROUP BY h.type_id, t.n
$$;
COMMENT ON FUNCTION heapfleet.raw_version_at(bigint, bigint, bigint) IS
    'All types of a deployment at an uptime: means over its processes that reached it.';

CREATE FUNCTION heapfleet.compare(service text, version_a text, version_b text, at_uptime interval DEFAULT NULL,
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
BEGIN
    RETURN QUERY
        SELECT t.name, coalesce(a.count, 0), coalesce(b.count, 0), coalesce(a.bytes, 0), coalesce(b.bytes, 0),
            coalesce(b.bytes, 0) - coalesce(a.bytes, 0), uptime_ms * interval '1 millisecond',
            max(a.instances) OVER (), max(b.instances) OVER ()
        FROM heapfleet.raw_version_at(of_service, a_id, uptime_ms) a
        FULL JOIN heapfleet.raw_version_at(of_service, b_id, uptime_ms) b ON b.type_id = a.type_id
        JOIN heapfleet.type t ON t.id = coalesce(a.type_id, b.type_id)
        ORDER BY 6 DESC, t.id;
END
$$;
COMMENT ON FUNCTION heapfleet.compare(text, text, text, interval, text) IS
    'Two versions of a service at equal uptime, by default the largest that more than half of the processes '
    'of each have reached: means over the processes that did, by the difference of bytes, largest first.';

-- ---- lists ---------------------------------------------------------------------------------

CREATE FUNCTION heapfleet.deployments(service text, environment text DEFAULT NULL)
RETURNS TABLE (version text, first_seen timestamptz, last_seen timestamptz, live bigint, instances bigint, oom_kills bigint)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    of_service bigint := heapfleet.service_id(deployments.service, deployments.environment);
BEGIN
    RETURN QUERY
        SELECT d.version, heapfleet.from_ms(min(i.started_ms)),
            heapfleet.from_ms(max(greatest(l.last_seen_ms, i.started_ms))), count(*) FILTER (WHERE l.live), count(i.id),
            count(*) FILTER (WHERE i.end_reason = 'oom_killed')
        FROM heapfleet.deployment d
        LEFT JOIN heapfleet.instance i ON i.service_id = of_service AND i.deployment_id = d.id
        LEFT JOIN heapfleet.raw_lives(of_service) l ON l.instance_id = i.id
        WHERE d.service_id = of_service GROUP BY d.id, d.version ORDER BY 2, d.id;
END
$$;
COMMENT ON FUNCTION heapfleet.deployments(text, text) IS
    'The versions of a service, oldest first: when each was first and last seen, its processes, those alive, '
    'and how many of them were killed for memory.';

CREATE VIEW heapfleet.services AS
    SELECT s.name AS service, s.environment, s.service_namespace,
        (SELECT d.version FROM heapfleet.instance i
         JOIN heapfleet.deployment d ON d.service_id = i.service_id AND d.id = i.deployment_id
         WHERE i.service_id = s.id ORDER BY i.started_ms DESC, i.id DESC LIMIT 1) AS latest_version,
        l.live, l.instances, heapfleet.from_ms(l.last_seen_ms) AS last_seen,
        (SELECT count(*) FROM heapfleet.finding f WHERE f.service_id = s.id AND f.closed_ms IS NULL) AS findings
    FROM heapfleet.service s
    CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE l.live) AS live, count(*) AS instances,
            max(l.last_seen_ms) AS last_seen_ms
        FROM heapfleet.raw_lives(s.id) l) l;
COMMENT ON VIEW heapfleet.services IS 'What is watched.';

CREATE VIEW heapfleet.findings AS
    SELECT f.id, s.name AS service, s.environment, s.service_namespace, f.type, f.kind, f.severity, f.version,
        f.introduced_in, f.count_per_hour, f.bytes_per_hour, f.confidence, f.instances,
        nullif(f.until_limit_ms, 0) * interval '1 millisecond' AS until_limit,
        heapfleet.from_ms(f.first_seen_ms) AS first_seen, heapfleet.from_ms(f.last_seen_ms) AS last_seen,
        heapfleet.from_ms(f.closed_ms) AS closed, f.closed_reason, heapfleet.from_ms(f.acknowledged_ms) AS acknowledged,
        f.acknowledged_by, f.note, f.companions, f.evidence
    FROM heapfleet.finding f JOIN heapfleet.service s ON s.id = f.service_id;
COMMENT ON VIEW heapfleet.findings IS
    'What leaks, or did, with names and times: WHERE closed IS NULL are those that are open.';

-- ---- who may read --------------------------------------------------------------------------

-- A role is of the whole cluster, and to make one takes a right that this migration's user may lack:
-- then somebody else makes it, and says GRANT USAGE ON SCHEMA and GRANT SELECT ON ALL TABLES.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'heapfleet_read') THEN
        BEGIN
            CREATE ROLE heapfleet_read NOLOGIN;
        EXCEPTION
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'the role heapfleet_read cannot be made: %', SQLERRM;
                RETURN;
            WHEN duplicate_object OR unique_violation THEN
                NULL; -- by somebody else, just now
        END;
    END IF;
    GRANT USAGE ON SCHEMA heapfleet TO heapfleet_read;
    GRANT SELECT ON ALL TABLES IN SCHEMA heapfleet TO heapfleet_read;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA heapfleet TO heapfleet_read;
    ALTER DEFAULT PRIVILEGES IN SCHEMA heapfleet GRANT SELECT ON TABLES TO heapfleet_read;
END
$$;
