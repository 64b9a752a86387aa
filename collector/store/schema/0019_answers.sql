-- What people's SQL answered otherwise than the Query service, or not at all: all there is ('-infinity') was refused
-- for its steps, a NULL or an uptime that nobody was watched at had a sentence about something else, a host whose
-- clock is behind had no live process, a restart of an old version made it the latest, and whether a finding
-- is muted, and where it was fixed, stood in no view. And columns that said nothing.

-- ---- who is alive, and which version is the latest -------------------------------------------

CREATE OR REPLACE FUNCTION heapfleet.raw_lives(service_id bigint)
RETURNS TABLE (instance_id bigint, deployment_id bigint, started_ms bigint, last_seen_ms bigint,
    interval_ms bigint, live boolean)
LANGUAGE plpgsql STABLE ROWS 100 AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT i.id, i.deployment_id, i.started_ms, n.time_ms, coalesce(nullif(greatest(n.interval_ms, 0), 0), 60000),
        (i.ended_ms IS NULL OR n.time_ms > i.ended_ms) AND n.time_ms IS NOT NULL
            AND (heapfleet.to_ms(now()) - n.time_ms - i.clock_behind_ms - 5000) / 3
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
COMMENT ON FUNCTION heapfleet.raw_lives(bigint) IS
    'The processes of a service: start, newest snapshot, time between its two newest, and whether it is '
    'alive: not ended, and heard of within three of those times and 5 s, by the clock of its host.';

CREATE OR REPLACE FUNCTION heapfleet.raw_services()
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
            GROUP BY i.deployment_id ORDER BY min(i.started_ms) DESC, i.deployment_id DESC LIMIT 1));
        SELECT count(*) FILTER (WHERE l.live), count(*), heapfleet.from_ms(max(l.last_seen_ms))
        INTO live, instances, last_seen FROM heapfleet.raw_lives(of_service.id) l;
        findings := (SELECT count(*) FROM heapfleet.finding f WHERE f.service_id = of_service.id
            AND f.closed_ms IS NULL AND f.severity <> 'watch');
        RETURN NEXT;
    END LOOP;
END
$$;

-- ---- all there is ----------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION heapfleet.series(service text, type text, from_time timestamptz, to_time timestamptz DEFAULT now(),
    step interval DEFAULT NULL, resolution text DEFAULT 'auto', of_version text DEFAULT NULL, environment text DEFAULT NULL)
RETURNS TABLE ("time" timestamptz, count double precision, bytes double precision, instances double precision)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    of_service bigint := heapfleet.service_id(service, environment);
    of_type integer := heapfleet.type_id(of_service, type);
    of_deployment bigint := heapfleet.deployment_id(of_service, of_version);
    from_ms bigint := heapfleet.to_ms(from_time);
    to_ms bigint := heapfleet.to_ms(least(to_time, now()));
    seen_ms bigint; -- what was seen may be shorter than what is asked for
    step_ms bigint := floor(extract(epoch FROM step) * 1000);
    unit_ms bigint;
BEGIN
    resolution := coalesce(resolution, 'auto');
    IF from_ms IS NULL THEN
        RAISE EXCEPTION 'a series needs a time to begin at'
            USING HINT = 'All there is: ''-infinity''.';
    ELSIF from_ms >= to_ms THEN
        RAISE EXCEPTION 'the span ends before it begins, or begins in the future';
    ELSIF resolution NOT IN ('auto', 'minute', 'hour', 'day') THEN
        RAISE EXCEPTION 'there is no resolution %', quote_literal(resolution)
            USING HINT = 'It is auto, minute, hour or day.';
    ELSIF step_ms <= 0 THEN
        RAISE EXCEPTION 'a step must be longer than nothing';
    END IF;
    seen_ms := least(to_ms, greatest(from_ms, (SELECT min(i.started_ms) FROM heapfleet.instance i
        WHERE i.service_id = of_service AND (of_deployment IS NULL OR i.deployment_id = of_deployment))));
    IF resolution = 'auto' THEN
        resolution := CASE
            WHEN to_ms - seen_ms <= 129600000 OR mod(step_ms, 3600000) <> 0 THEN 'minute'
            WHEN (step_ms IS NULL AND to_ms - seen_ms > 7948800000) OR mod(step_ms, 86400000) = 0 THEN 'day'
            ELSE 'hour' END;
    END IF;
    unit_ms := CASE resolution WHEN 'hour' THEN 3600000 WHEN 'day' THEN 86400000 ELSE 1 END;
    IF unit_ms > 1 OR step_ms IS NULL THEN
        from_ms := seen_ms;
    END IF;
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
            FROM heapfleet.raw_levels(of_service, of_type, from_ms, to_ms, step_ms, unit_ms, of_deployment) s;
    ELSE
        RETURN QUERY SELECT heapfleet.from_ms(s.time_ms), s.count, s.bytes, s.instances
            FROM heapfleet.raw_steps(of_service, of_type, from_ms, to_ms, step_ms, of_deployment) s;
    END IF;
END
$$;
COMMENT ON FUNCTION heapfleet.series(text, text, timestamptz, timestamptz, interval, text, text, text) IS
    'One type of a service over time, sums over its processes: SELECT * FROM heapfleet.series(''shop'', '
    '''dict'', now() - interval ''1 day''). Resolution minute: the last snapshot of each process in a step; '
    'hour and day: means; auto, by the time since the first process of the service: minutes up to 36 hours, '
    'hours up to 92 days. All there is: from ''-infinity''. In Grafana: '
    'series(''$service'', ''$type'', $__timeFrom(), $__timeTo()).';

-- ---- sentences -------------------------------------------------------------------------------

CREATE FUNCTION heapfleet.raw_check_uptime(service_id bigint, deployment_id bigint, version text, uptime_ms bigint)
RETURNS void
LANGUAGE plpgsql STABLE AS $$
DECLARE
    longest_ms bigint := (SELECT max(l.last_seen_ms - l.started_ms)
        FROM heapfleet.raw_lives($1) l WHERE l.deployment_id = $2 AND l.last_seen_ms IS NOT NULL);
BEGIN
    IF longest_ms IS NULL THEN
        RAISE EXCEPTION 'version % has sent no snapshot yet', quote_literal(version);
    ELSIF uptime_ms > longest_ms THEN
        RAISE EXCEPTION 'version % has not reached an uptime of %: its oldest process has %', quote_literal(version),
            least(uptime_ms, 9000000000000000) * interval '1 millisecond', longest_ms * interval '1 millisecond'
            USING HINT = 'Without at_uptime it is the largest that more than half of the processes of each have reached.';
    END IF;
END
$$;
COMMENT ON FUNCTION heapfleet.raw_check_uptime(bigint, bigint, text, bigint) IS
    'Nothing, or an error that says which uptimes a version has reached.';

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
    uptime_ms bigint := coalesce(nullif(floor(extract(epoch FROM at_uptime) * 1000)::bigint, 0),
        least(heapfleet.raw_usual_uptime(of_service, a_id), heapfleet.raw_usual_uptime(of_service, b_id)));
    ids integer[];
    a_counts double precision[];
    b_counts double precision[];
    a_bytes double precision[];
    b_bytes double precision[];
    a_instances bigint;
    b_instances bigint;
BEGIN
    IF a_id IS NULL OR b_id IS NULL THEN
        RAISE EXCEPTION 'a comparison needs two versions';
    ELSIF uptime_ms < 0 THEN
        RAISE EXCEPTION 'an uptime cannot be negative';
    END IF;
    PERFORM heapfleet.raw_check_uptime(of_service, a_id, version_a, uptime_ms);
    PERFORM heapfleet.raw_check_uptime(of_service, b_id, version_b, uptime_ms);
    SELECT array_agg(coalesce(a.type_id, b.type_id)), array_agg(coalesce(a.count, 0)), array_agg(coalesce(b.count, 0)),
        array_agg(coalesce(a.bytes, 0)), array_agg(coalesce(b.bytes, 0)), max(a.instances), max(b.instances)
    INTO ids, a_counts, b_counts, a_bytes, b_bytes, a_instances, b_instances
    FROM heapfleet.raw_version_at(of_service, a_id, uptime_ms) a
    FULL JOIN heapfleet.raw_version_at(of_service, b_id, uptime_ms) b ON b.type_id = a.type_id;
    IF a_instances IS NULL OR b_instances IS NULL THEN
        RAISE EXCEPTION 'no process of version % was watched at that uptime',
            quote_literal(CASE WHEN a_instances IS NULL THEN version_a ELSE version_b END);
    END IF;
    RETURN QUERY
        SELECT t.name, u.count_a, u.count_b, u.bytes_a, u.bytes_b, u.bytes_b - u.bytes_a,
            uptime_ms * interval '1 millisecond', a_instances, b_instances
        FROM unnest(ids, a_counts, b_counts, a_bytes, b_bytes) u(type_id, count_a, count_b, bytes_a, bytes_b)
        JOIN heapfleet.type t ON t.id = u.type_id
        ORDER BY 6 DESC, t.id;
END
$$;

-- ---- findings ------------------------------------------------------------------------------

CREATE OR REPLACE VIEW heapfleet.findings AS
    SELECT f.id, s.name AS service, s.environment, s.service_namespace, f.type, f.kind, f.severity, f.version,
        f.introduced_in, f.count_per_hour, f.bytes_per_hour, f.confidence, f.instances,
        nullif(f.until_limit_ms, 0) * interval '1 millisecond' AS until_limit,
        heapfleet.from_ms(f.first_seen_ms) AS first_seen, heapfleet.from_ms(f.last_seen_ms) AS last_seen,
        heapfleet.from_ms(f.closed_ms) AS closed, f.closed_reason, heapfleet.from_ms(f.acknowledged_ms) AS acknowledged,
        f.acknowledged_by, f.note, f.companions, f.evidence,
        CASE WHEN f.closed_ms IS NOT NULL THEN 'resolved' WHEN m.created_ms IS NOT NULL THEN 'muted'
            WHEN f.acknowledged_ms IS NOT NULL THEN 'acknowledged' ELSE 'open' END AS state,
        f.rule, f.fixed_in, heapfleet.from_ms(m.created_ms) AS muted, heapfleet.from_ms(m.until_ms) AS muted_until,
        coalesce(m.actor, '') AS muted_by, coalesce(m.reason, '') AS muted_because
    FROM heapfleet.finding f JOIN heapfleet.service s ON s.id = f.service_id
    LEFT JOIN LATERAL (SELECT * FROM heapfleet.mute m
        WHERE m.service_id = f.service_id AND m.type IN ('', f.type)
            AND (m.until_ms IS NULL OR m.until_ms > extract(epoch FROM now()) * 1000)
        ORDER BY m.type DESC LIMIT 1) m ON true;

-- ---- columns -------------------------------------------------------------------------------

DO $$
DECLARE
    said record;
BEGIN
    FOR said IN SELECT * FROM (VALUES
        ('findings', 'service', 'service.name'),
        ('findings', 'environment', 'service.environment; empty: none.'),
        ('findings', 'service_namespace', 'service.service_namespace; empty: none.'),
        ('findings', 'type', 'What grows: a type, "(native memory)" or "(free heap space)".'),
        ('findings', 'closed_reason', 'Why it was closed; empty while it is open.'),
        ('findings', 'acknowledged', 'When somebody took it on; NULL: nobody has.'),
        ('findings', 'acknowledged_by', 'Who took it on.'),
        ('findings', 'note', 'What they said.'),
        ('findings', 'state', 'open, acknowledged, muted or resolved.'),
        ('findings', 'rule', 'The rule of the detector that saw it.'),
        ('findings', 'fixed_in', 'The first version that does not have it; empty: none is known.'),
        ('findings', 'muted', 'Since when it is muted; NULL: it is not.'),
        ('findings', 'muted_until', 'Until when; NULL: it is not muted, or for ever.'),
        ('findings', 'muted_by', 'Who wished so.'),
        ('findings', 'muted_because', 'Why.'),
        ('services', 'service', 'service.name'),
        ('services', 'environment', 'service.environment; empty: none.'),
        ('services', 'service_namespace', 'service.service_namespace; empty: none.'),
        ('services', 'latest_version', 'The version whose first process started last.'),
        ('services', 'live', 'Processes that have not ended and were heard of within three of their intervals and 5 s.'),
        ('services', 'instances', 'Processes that were ever seen.'),
        ('services', 'last_seen', 'The newest snapshot of any of them.'),
        ('heap_hour', 'service_id', 'service.id'),
        ('heap_hour', 'slot_ms', 'Where the four hours begin: a multiple of 14400000.'),
        ('heap_hour', 'type_id', 'type.id'),
        ('heap_hour', 'deployment_id', 'deployment.id'),
        ('heap_hour', 'count_avg', 'Objects in a snapshot, mean of each of the four hours; NULL: no snapshot.'),
        ('heap_hour', 'count_min', 'Fewest in any snapshot of the four hours.'),
        ('heap_hour', 'count_max', 'Most in any snapshot of the four hours.'),
        ('heap_hour', 'bytes_avg', 'Their bytes in a snapshot, means as in count_avg.'),
        ('finding', 'service_id', 'service.id'),
        ('finding', 'type', 'What grows: a type, "(native memory)" or "(free heap space)".'),
        ('finding_event', 'service_id', 'service.id'),
        ('finding_event', 'type', 'finding.type'),
        ('mute', 'service_id', 'service.id'),
        ('alert', 'service_id', 'service.id'),
        ('alert', 'type', 'finding.type'),
        ('alert', 'first_seen_ms', 'Names the finding with service and type.'),
        ('deployment', 'id', 'Of the version in this database.'),
        ('type', 'id', 'Of the name in this database.'),
        ('instance', 'service_id', 'service.id'),
        ('instance', 'id', 'Of the process in this database.'),
        ('instance', 'deployment_id', 'deployment.id'),
        ('instance', 'host', 'Name of the machine, as its agent tells it.'),
        ('instance', 'pod', 'Kubernetes'' name of the pod; empty: none.'),
        ('instance', 'container_id', 'Of the container, 64 hexadecimal digits as a rule; empty: none.'),
        ('instance', 'image', 'Image of the container; empty: not known.'),
        ('instance', 'runtime', 'cpython'),
        ('instance', 'runtime_version', 'Of Python, such as 3.11.2.'),
        ('instance', 'pid', 'Number of the process where its agent sees it.'),
        ('level', 'name', 'Name of the table.'),
        ('partition', 'level', 'level.name'),
        ('partition', 'name', 'Name of the table that is the partition.'),
        ('partition', 'from_ms', 'Where its time begins.'),
        ('partition', 'to_ms', 'Where its time has ended.'),
        ('schema_version', 'version', 'Number of a migration.'),
        ('schema_version', 'name', 'Its name.'),
        ('schema_version', 'applied_at', 'When it was applied here.')) AS t(relation, name, words)
    LOOP
        EXECUTE format('COMMENT ON COLUMN heapfleet.%I.%I IS %L', said.relation, said.name, said.words);
    END LOOP;
END
$$;
