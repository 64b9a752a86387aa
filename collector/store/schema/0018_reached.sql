-- A version that has not reached the uptime of a comparison was compared as if it had nothing: each type of
-- the other one had grown from zero. The Query service refuses that, and so does SQL now.

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
    IF a_instances IS NULL OR b_instances IS NULL THEN
        RAISE EXCEPTION 'version ''%'' has not reached an uptime of %',
            CASE WHEN a_instances IS NULL THEN version_a ELSE version_b END, uptime_ms * interval '1 millisecond'
            USING HINT = 'Without at_uptime it is the largest that more than half of the processes of each have reached.';
    END IF;
    RETURN QUERY
        SELECT t.name, u.count_a, u.count_b, u.bytes_a, u.bytes_b, u.bytes_b - u.bytes_a,
            uptime_ms * interval '1 millisecond', a_instances, b_instances
        FROM unnest(ids, a_counts, b_counts, a_bytes, b_bytes) u(type_id, count_a, count_b, bytes_a, bytes_b)
        JOIN heapfleet.type t ON t.id = u.type_id
        ORDER BY 6 DESC, t.id;
END
$$;

-- ---- what the columns of findings are -----------------------------------------------------------

COMMENT ON COLUMN heapfleet.findings.id IS 'Eight hexadecimal digits by which people name it.';
COMMENT ON COLUMN heapfleet.findings.kind IS
    'objects: they are kept; buffer: they grow, their number does not; native: memory that is no object; '
    'fragmentation: memory that is free and not given back.';
COMMENT ON COLUMN heapfleet.findings.severity IS 'watch (it grows; that may be a cache that fills), suspect or confirmed.';
COMMENT ON COLUMN heapfleet.findings.version IS 'The newest version in which it grows.';
COMMENT ON COLUMN heapfleet.findings.introduced_in IS
    'The version that brought it; empty: it was there in the oldest version known.';
COMMENT ON COLUMN heapfleet.findings.count_per_hour IS 'Mean growth of a process.';
COMMENT ON COLUMN heapfleet.findings.bytes_per_hour IS 'Mean growth of a process.';
COMMENT ON COLUMN heapfleet.findings.confidence IS 'From 0 to 1.';
COMMENT ON COLUMN heapfleet.findings.instances IS 'Processes that were judged.';
COMMENT ON COLUMN heapfleet.findings.until_limit IS
    'Time left until the memory limit of its container at this growth; NULL: no limit known.';
COMMENT ON COLUMN heapfleet.findings.first_seen IS 'The first sweep that found it.';
COMMENT ON COLUMN heapfleet.findings.last_seen IS 'The last sweep that found it.';
COMMENT ON COLUMN heapfleet.findings.closed IS 'The first sweep that found it no more; NULL: it is open.';
COMMENT ON COLUMN heapfleet.findings.companions IS 'Types that grow with it, as an array of names.';
COMMENT ON COLUMN heapfleet.findings.evidence IS
    'What moved the verdict, and the growth curve at equal uptime of each version.';
