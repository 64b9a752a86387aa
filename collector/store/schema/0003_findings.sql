-- What people and sweeps say of a finding over its life; mutes; alerts that are to be delivered.
-- The rules of 0001 hold: service_id leads every key, no foreign keys, no drawn ids.

ALTER TABLE heapfleet.finding
    ADD COLUMN id text NOT NULL GENERATED ALWAYS AS
        (substr(md5(service_id::text || '/' || first_seen_ms::text || '/' || type), 1, 8)) STORED,
    ADD COLUMN kind text NOT NULL DEFAULT 'objects',
    ADD COLUMN rule text NOT NULL DEFAULT '',
    ADD COLUMN version text NOT NULL DEFAULT '',
    ADD COLUMN evidence jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN closed_reason text NOT NULL DEFAULT '',
    ADD COLUMN fixed_in text NOT NULL DEFAULT '',
    ADD COLUMN acknowledged_ms bigint,
    ADD COLUMN acknowledged_by text NOT NULL DEFAULT '',
    ADD COLUMN note text NOT NULL DEFAULT '';
COMMENT ON COLUMN heapfleet.finding.id IS 'Eight hexadecimal digits by which people name it.';
COMMENT ON COLUMN heapfleet.finding.severity IS 'watch, suspect or confirmed.';
COMMENT ON COLUMN heapfleet.finding.kind IS
    'objects: they are kept; buffer: they grow, their number does not; native: memory that is no '
    'object; fragmentation: memory that is free and not given back.';
COMMENT ON COLUMN heapfleet.finding.rule IS 'The rule of the detector that saw it.';
COMMENT ON COLUMN heapfleet.finding.version IS 'The newest version in which it grows.';
COMMENT ON COLUMN heapfleet.finding.evidence IS
    'What moved the verdict, and the growth curve at equal uptime of each version.';
COMMENT ON COLUMN heapfleet.finding.closed_reason IS 'Why it was closed; empty while it is open.';
COMMENT ON COLUMN heapfleet.finding.fixed_in IS
    'The first version that does not have it; empty: none is known.';
COMMENT ON COLUMN heapfleet.finding.acknowledged_ms IS
    'When somebody took it on; NULL: nobody has.';
COMMENT ON COLUMN heapfleet.finding.acknowledged_by IS 'Who took it on.';
COMMENT ON COLUMN heapfleet.finding.note IS 'What they said.';

CREATE TABLE heapfleet.finding_event (
    service_id bigint NOT NULL,
    type text NOT NULL,
    first_seen_ms bigint NOT NULL,
    at_ms bigint NOT NULL,
    event text NOT NULL,
    detail text NOT NULL,
    actor text NOT NULL,
    PRIMARY KEY (service_id, type, first_seen_ms, at_ms, event)
);
COMMENT ON TABLE heapfleet.finding_event IS 'What happened to findings, from opened to resolved.';
COMMENT ON COLUMN heapfleet.finding_event.first_seen_ms IS 'Names the finding with service and type.';
COMMENT ON COLUMN heapfleet.finding_event.at_ms IS 'When.';
COMMENT ON COLUMN heapfleet.finding_event.event IS
    'opened, severity, version, acknowledged, muted, unmuted, alerted or resolved.';
COMMENT ON COLUMN heapfleet.finding_event.detail IS 'What is new, in words.';
COMMENT ON COLUMN heapfleet.finding_event.actor IS 'Who did it; empty: a collector.';

CREATE TABLE heapfleet.mute (
    service_id bigint NOT NULL,
    type text NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    created_ms bigint NOT NULL,
    until_ms bigint,
    PRIMARY KEY (service_id, type)
);
COMMENT ON TABLE heapfleet.mute IS 'Findings that nobody wants to be told of.';
COMMENT ON COLUMN heapfleet.mute.type IS 'Empty: all types of the service.';
COMMENT ON COLUMN heapfleet.mute.actor IS 'Who wished so.';
COMMENT ON COLUMN heapfleet.mute.reason IS 'Why.';
COMMENT ON COLUMN heapfleet.mute.created_ms IS 'Since when.';
COMMENT ON COLUMN heapfleet.mute.until_ms IS 'Until when; NULL: for ever.';

CREATE TABLE heapfleet.alert (
    service_id bigint NOT NULL,
    type text NOT NULL,
    first_seen_ms bigint NOT NULL,
    receiver text NOT NULL,
    told text NOT NULL,
    told_ms bigint NOT NULL,
    next_ms bigint NOT NULL,
    attempts integer NOT NULL,
    failure text NOT NULL,
    PRIMARY KEY (service_id, type, first_seen_ms, receiver)
);
COMMENT ON TABLE heapfleet.alert IS 'What receivers of alerts were told of a finding.';
COMMENT ON COLUMN heapfleet.alert.receiver IS 'webhook or alertmanager.';
COMMENT ON COLUMN heapfleet.alert.told IS
    'The state that it knows: suspect, confirmed, resolved; empty: nothing yet.';
COMMENT ON COLUMN heapfleet.alert.told_ms IS 'When it was told.';
COMMENT ON COLUMN heapfleet.alert.next_ms IS 'Not to be told before: it failed, or somebody is at it.';
COMMENT ON COLUMN heapfleet.alert.attempts IS 'That failed since it was told last.';
COMMENT ON COLUMN heapfleet.alert.failure IS 'What the last one failed with.';
