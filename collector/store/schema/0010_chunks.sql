-- Chunks in half the bytes: what a chunk says of a type, its first value too, is one stretch of bits,
-- as wide as the type needs. Chunks of before stay as they are, and are read as they were.

ALTER TABLE heapfleet.heap_chunk
    ADD COLUMN format integer NOT NULL DEFAULT 1,
    ADD COLUMN times bytea,
    ALTER COLUMN times_ms DROP NOT NULL,
    ALTER COLUMN counts DROP NOT NULL,
    ALTER COLUMN bytes DROP NOT NULL;

COMMENT ON COLUMN heapfleet.heap_chunk.format IS
    '2, or 1 in rows of before: then times_ms, counts and bytes are there, and times is not. '
    'heapfleet.raw_type and the like read both.';
COMMENT ON COLUMN heapfleet.heap_chunk.times IS
    'Sequences and times of the snapshots, packed: heapfleet.raw_times reads the times.';
COMMENT ON COLUMN heapfleet.heap_chunk.times_ms IS
    'Format 1: when each snapshot was taken, in milliseconds after slot_ms, in the order of their '
    'sequences.';
COMMENT ON COLUMN heapfleet.heap_chunk.counts IS
    'Format 1: objects of each type in the first snapshot.';
COMMENT ON COLUMN heapfleet.heap_chunk.bytes IS
    'Format 1: bytes of each type in the first snapshot.';
COMMENT ON COLUMN heapfleet.heap_chunk.ends IS
    'Where in payload each group of sixteen types ends. Format 1: where the changes of each type end: '
    'those of type n are the bytes ends[n-1] + 1 .. ends[n], none if the two are equal.';
COMMENT ON COLUMN heapfleet.heap_chunk.process IS
    'The ten numbers of snap_delta.process, and how many types there were, two and two packed. '
    'Format 1: the sequences, too. collector/store/chunk_codec.h of the Heapfleet sources.';
COMMENT ON COLUMN heapfleet.heap_chunk.payload IS
    'For each type the size of its stretch, and the stretch: heapfleet.raw_stretch finds it, '
    'heapfleet.raw_pairs reads it; collector/store/chunk_stretch.h of the Heapfleet sources. Format 1: '
    'for each type its changes, which heapfleet.raw_series reads.';

-- ---- stretches -----------------------------------------------------------------------------

CREATE FUNCTION heapfleet.raw_stretch(payload bytea, ends integer[], type_index integer) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    nth integer := type_index / 16 + 1;
    begins integer := coalesce(ends[nth - 1], 0);
    types bytea; -- sixteen
    at integer := 0;
    size integer;
    byte integer;
    shift integer;
BEGIN
    IF type_index IS NULL OR nth > cardinality(ends) THEN
        RETURN '';
    END IF;
    types := substring(payload FROM begins + 1 FOR ends[nth] - begins);
    FOR n IN 0 .. type_index % 16 LOOP
        IF at >= length(types) THEN
            RETURN '';
        END IF;
        byte := get_byte(types, at); at := at + 1; size := byte & 127; shift := 0;
        WHILE byte >= 128 LOOP
            shift := shift + 7; byte := get_byte(types, at); at := at + 1;
            size := size | ((byte & 127) << shift);
        END LOOP;
        at := at + size;
    END LOOP;
    RETURN substring(types FROM at - size + 1 FOR size);
END
$$;
COMMENT ON FUNCTION heapfleet.raw_stretch(bytea, integer[], integer) IS
    'The stretch of a type, by its place in type_ids from 0, in a heap_chunk''s payload; empty for a type '
    'that was not known yet.';

CREATE FUNCTION heapfleet.raw_stretches(payload bytea)
RETURNS TABLE (n integer, stretch bytea)
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE ROWS 300 AS $$
DECLARE
    types bytea := payload || ''::bytea; -- fetched once
    ends integer := length(types);
    at integer := 0;
    size integer;
    byte integer;
    shift integer;
BEGIN
    n := 0;
    WHILE at < ends LOOP
        byte := get_byte(types, at); at := at + 1; size := byte & 127; shift := 0;
        WHILE byte >= 128 LOOP
            shift := shift + 7; byte := get_byte(types, at); at := at + 1;
            size := size | ((byte & 127) << shift);
        END LOOP;
        n := n + 1;
        stretch := substring(types FROM at + 1 FOR size);
        at := at + size;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION heapfleet.raw_stretches(bytea) IS
    'The stretches of all types in a heap_chunk''s payload, in the order of type_ids from 1.';

CREATE FUNCTION heapfleet.raw_head(stretch bytea) RETURNS bigint[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    size integer := length(stretch);
    at integer := 0;
    byte integer;
    shift integer;
    coded bigint;
    head integer;
    counts bigint := 0;
    bytes bigint := 0;
    unit bigint := 0;
    base bigint := 0;
    changes bigint := 0;
    count_step bigint := 1;
    bytes_step bigint := 1;
    count_bits integer;
    bytes_bits integer;
BEGIN
    IF size = 0 THEN
        RETURN '{0,0,0}';
    END IF;
    byte := get_byte(stretch, at); at := at + 1; counts := byte & 127; shift := 0;
    WHILE byte >= 128 LOOP
        shift := shift + 7; byte := get_byte(stretch, at); at := at + 1;
        counts := counts | ((byte & 127)::bigint << shift);
    END LOOP;
    byte := get_byte(stretch, at); at := at + 1; unit := byte & 127; shift := 0;
    WHILE byte >= 128 LOOP
        shift := shift + 7; byte := get_byte(stretch, at); at := at + 1;
        unit := unit | ((byte & 127)::bigint << shift);
    END LOOP;
    IF (unit & 1) = 1 THEN
        byte := get_byte(stretch, at); at := at + 1; coded := byte & 127; shift := 0;
        WHILE byte >= 128 LOOP
            shift := shift + 7; byte := get_byte(stretch, at); at := at + 1;
            coded := coded | ((byte & 127)::bigint << shift);
        END LOOP;
        bytes := (((coded >> 1) & 9223372036854775807) # -(coded & 1));
    END IF;
    unit := unit >> 1;
    bytes := bytes + counts * unit;
    IF at = size THEN
        RETURN ARRAY[counts, bytes, 0];
    END IF;
    head := get_byte(stretch, at);
    IF head = 0 THEN
        RETURN ARRAY[counts, bytes, 1, at + 1];
    END IF;
    count_bits := get_byte(stretch, at + 1);
    bytes_bits := get_byte(stretch, at + 2);
    at := at + 3;
    byte := get_byte(stretch, at); at := at + 1; changes := byte & 127; shift := 0;
    WHILE byte >= 128 LOOP
        shift := shift + 7; byte := get_byte(stretch, at); at := at + 1;
        changes := changes | ((byte & 127)::bigint << shift);
    END LOOP;
    IF (head & 64) <> 0 THEN
        byte := get_byte(stretch, at); at := at + 1; coded := byte & 127; shift := 0;
        WHILE byte >= 128 LOOP
            shift := shift + 7; byte := get_byte(stretch, at); at := at + 1;
            coded := coded | ((byte & 127)::bigint << shift);
        END LOOP;
        base := (((coded >> 1) & 9223372036854775807) # -(coded & 1));
    END IF;
    IF (head & 32) <> 0 THEN
        byte := get_byte(stretch, at); at := at + 1; count_step := byte & 127; shift := 0;
        WHILE byte >= 128 LOOP
            shift := shift + 7; byte := get_byte(stretch, at); at := at + 1;
            count_step := count_step | ((byte & 127)::bigint << shift);
        END LOOP;
    END IF;
    IF (head & 16) <> 0 THEN
        byte := get_byte(stretch, at); at := at + 1; bytes_step := byte & 127; shift := 0;
        WHILE byte >= 128 LOOP
            shift := shift + 7; byte := get_byte(stretch, at); at := at + 1;
            bytes_step := bytes_step | ((byte & 127)::bigint << shift);
        END LOOP;
    END IF;
    RETURN ARRAY[counts, bytes, 2, at, changes, unit, base, count_step, bytes_step, head & 15,
        count_bits, bytes_bits];
END
$$;
COMMENT ON FUNCTION heapfleet.raw_head(bytea) IS
    'What a stretch begins with: its first two numbers; 0 if they never change, 1 if loose changes follow, 2 if '
    'packed ones do; where they begin; then, of packed ones: how many, unit, base, the two steps, the three widths.';

CREATE FUNCTION heapfleet.raw_pairs(stretch bytea, snapshots integer, from_place integer DEFAULT 1)
RETURNS TABLE (place integer, count bigint, bytes bigint)
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE ROWS 240 AS $$
DECLARE
    head bigint[] := heapfleet.raw_head(stretch);
    at integer := head[4];
    changes integer := head[5];
    unit bigint := head[6];
    base bigint := head[7];
    count_step bigint := head[8];
    bytes_step bigint := head[9];
    skip_bits integer := head[10];
    count_bits integer := head[11];
    bytes_bits integer := head[12];
    skip_full bigint := (1::bigint << skip_bits) - 1;
    count_full bigint := (1::bigint << count_bits) - 1;
    bytes_full bigint := (1::bigint << bytes_bits) - 1;
    fields varbit;
    bit integer := 1; -- of fields, that comes next
    change_at integer := 0; -- the snapshot of the next change, from 1; 0: none follows
    byte integer;
    shift integer;
    coded bigint;
    difference bigint;
BEGIN
    count := head[1];
    bytes := head[2];
    IF head[3] = 0 THEN
        RETURN QUERY SELECT n, head[1], head[2] FROM generate_series(from_place, snapshots) n;
        RETURN;
    ELSIF head[3] = 1 THEN
        RETURN QUERY SELECT s.place, s.count, s.bytes
            FROM heapfleet.raw_series(substring(stretch FROM at + 1), head[1], head[2], snapshots) s
            WHERE s.place >= from_place;
        RETURN;
    END IF;
    shift := (changes * (skip_bits + count_bits + bytes_bits) + 7) / 8;
    fields := ('x' || encode(substring(stretch FROM at + 1 FOR shift), 'hex'))::varbit;
    at := at + shift; -- now of the escapes
    FOR n IN 1 .. snapshots LOOP
        place := n;
        IF n = change_at THEN
            difference := base;
            IF count_bits > 0 THEN
                coded := substring(fields, bit, count_bits)::integer; bit := bit + count_bits;
                IF coded = count_full THEN
                    byte := get_byte(stretch, at); at := at + 1; coded := byte & 127; shift := 0;
                    WHILE byte >= 128 LOOP
                        shift := shift + 7; byte := get_byte(stretch, at); at := at + 1;
                        coded := coded | ((byte & 127)::bigint << shift);
                    END LOOP;
                END IF;
                difference := base + (((coded >> 1) & 9223372036854775807) # -(coded & 1)) * count_step;
            END IF;
            count := count + difference;
            bytes := bytes + difference * unit;
            IF bytes_bits > 0 THEN
                coded := substring(fields, bit, bytes_bits)::integer; bit := bit + bytes_bits;
                IF coded = bytes_full THEN
                    byte := get_byte(stretch, at); at := at + 1; coded := byte & 127; shift := 0;
                    WHILE byte >= 128 LOOP
                        shift := shift + 7; byte := get_byte(stretch, at); at := at + 1;
                        coded := coded | ((byte & 127)::bigint << shift);
                    END LOOP;
                END IF;
                bytes := bytes + (((coded >> 1) & 9223372036854775807) # -(coded & 1)) * bytes_step;
            END IF;
        END IF;
        IF (n = change_at OR n = 1) AND changes > 0 THEN
            changes := changes - 1;
            change_at := n + 1;
            IF skip_bits > 0 THEN
                coded := substring(fields, bit, skip_bits)::integer; bit := bit + skip_bits;
                IF coded = skip_full THEN
                    byte := get_byte(stretch, at); at := at + 1; coded := byte & 127; shift := 0;
                    WHILE byte >= 128 LOOP
                        shift := shift + 7; byte := get_byte(stretch, at); at := at + 1;
                        coded := coded | ((byte & 127)::bigint << shift);
                    END LOOP;
                END IF;
                change_at := change_at + coded::integer;
            END IF;
        END IF;
        IF n >= from_place THEN
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION heapfleet.raw_pairs(bytea, integer, integer) IS
    'The two numbers of a stretch of a heap_chunk - count and bytes of a type - in the snapshots from '
    'one to another, counted from 1.';

CREATE FUNCTION heapfleet.raw_times(times bytea) RETURNS integer[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    snapshots integer := 0;
    at integer := 0;
    byte integer;
    shift integer;
    stretch bytea;
    head bigint[];
    found integer[];
    fields varbit;
    bit integer := 1;
    width integer;
    every integer;
    step integer;
    most integer;
    coded bigint;
    ms integer;
BEGIN
    LOOP
        byte := get_byte(times, at);
        snapshots := snapshots | ((byte & 127) << (7 * at)); at := at + 1;
        EXIT WHEN byte < 128;
    END LOOP;
    stretch := substring(times FROM at + 1);
    head := heapfleet.raw_head(stretch);
    IF head[3] < 2 OR head[5] <> snapshots - 1 OR head[10] <> 0 OR head[11] <> 0 OR head[12] = 0 OR head[7] * head[6] > 14400000 THEN
        RETURN (SELECT array_agg(p.bytes::integer ORDER BY p.place) FROM heapfleet.raw_pairs(stretch, snapshots) p);
    END IF;
    -- As it is nearly always: no sequence is missing, so that every field is of a time.
    at := head[4]; every := head[6] * head[7]; step := head[9]; width := head[12]; most := (1 << width) - 1;
    shift := (width * (snapshots - 1) + 7) / 8;
    fields := ('x' || encode(substring(stretch FROM at + 1 FOR shift), 'hex'))::varbit;
    at := at + shift;
    ms := head[2];
    found := array_fill(ms, ARRAY[snapshots]);
    FOR n IN 2 .. snapshots LOOP
        coded := substring(fields, bit, width)::integer; bit := bit + width;
        IF coded = most THEN
            byte := get_byte(stretch, at); at := at + 1; coded := byte & 127; shift := 0;
            WHILE byte >= 128 LOOP
                shift := shift + 7; byte := get_byte(stretch, at); at := at + 1;
                coded := coded | ((byte & 127)::bigint << shift);
            END LOOP;
        END IF;
        ms := ms + every + ((coded >> 1) # -(coded & 1)) * step;
        found[n] := ms;
    END LOOP;
    RETURN found;
END
$$;
COMMENT ON FUNCTION heapfleet.raw_times(bytea) IS
    'heap_chunk.times as times_ms was: in milliseconds after slot_ms, in the order of the sequences.';

-- ---- the functions of 0004 that read chunks: of both formats -------------------------------

CREATE OR REPLACE FUNCTION heapfleet.raw_chunk_values(service_id bigint, instance_id bigint, slot_ms bigint, place integer,
    type_index integer)
RETURNS TABLE (counts bigint[], bytes bigint[])
LANGUAGE sql STABLE ROWS 1 AS $$
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
    WHERE c.service_id = $1 AND c.instance_id = $2 AND c.slot_ms = $3
$$;

CREATE OR REPLACE FUNCTION heapfleet.raw_base(service_id bigint, instance_id bigint, base bigint, near_ms bigint, type_index integer)
RETURNS TABLE (counts bigint[], bytes bigint[])
LANGUAGE plpgsql STABLE ROWS 1 AS $$
DECLARE
    chunk record;
BEGIN
    SELECT c.slot_ms, cardinality(coalesce(c.times_ms, heapfleet.raw_times(c.times))) AS snapshots INTO chunk FROM heapfleet.heap_chunk c
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

CREATE OR REPLACE FUNCTION heapfleet.raw_type(service_id bigint, type_id integer, from_ms bigint, to_ms bigint, of_deployment bigint)
RETURNS TABLE (instance_id bigint, time_ms bigint, count bigint, bytes bigint)
LANGUAGE plpgsql STABLE ROWS 10000 AS $$
BEGIN
    RETURN QUERY WITH process AS MATERIALIZED (
        SELECT i.id, array_position(i.type_ids, $2) AS n FROM heapfleet.instance i
        WHERE i.service_id = $1 AND (of_deployment IS NULL OR i.deployment_id = of_deployment) AND i.started_ms <= $4),
    chunk AS MATERIALIZED (
        SELECT p.id, p.n, c.slot_ms, c.format, coalesce(c.times_ms, heapfleet.raw_times(c.times)) AS times_ms, c.counts,
            c.bytes, c.ends, c.payload
        FROM process p
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
    WHERE k.format = 1 AND k.slot_ms + k.times_ms[v.place] BETWEEN $3 AND $4
    UNION ALL
    SELECT p.id, h.time_ms, h.count, h.bytes
    FROM process p
    CROSS JOIN LATERAL heapfleet.raw_hot($1, p.id, coalesce(p.n - 1, 2147483646), $3, $4) h
    WHERE NOT EXISTS (SELECT FROM chunk k
        WHERE k.id = p.id AND k.slot_ms = h.time_ms - mod(h.time_ms, 14400000)
            AND (h.time_ms - k.slot_ms)::integer = ANY (k.times_ms));
END
$$;

CREATE OR REPLACE FUNCTION heapfleet.raw_heap(service_id bigint, instance_id bigint, at_ms bigint)
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
    FROM heapfleet.heap_chunk c,
        unnest(coalesce(c.times_ms, heapfleet.raw_times(c.times))) WITH ORDINALITY t(ms, place)
    WHERE c.service_id = raw_heap.service_id AND c.instance_id = raw_heap.instance_id
        AND c.slot_ms = (SELECT max(x.slot_ms) FROM heapfleet.heap_chunk x
            WHERE x.service_id = raw_heap.service_id AND x.instance_id = raw_heap.instance_id
                AND x.slot_ms <= at_ms
                AND x.slot_ms + (coalesce(x.times_ms, heapfleet.raw_times(x.times)))[1] <= at_ms)
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
