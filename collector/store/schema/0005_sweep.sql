-- Who judges which service, and what it knew when it last wrote it down. The rules of 0001 hold.

CREATE TABLE heapfleet.sweep_collector (
    collector_id uuid PRIMARY KEY,
    alive_until timestamptz NOT NULL
);
COMMENT ON TABLE heapfleet.sweep_collector IS
    'Collectors that judge services: they share them out evenly.';
COMMENT ON COLUMN heapfleet.sweep_collector.collector_id IS 'Drawn by the collector at its start.';
COMMENT ON COLUMN heapfleet.sweep_collector.alive_until IS
    'Later than this it is taken for dead, unless it has said so again.';

CREATE TABLE heapfleet.sweep_claim (
    service_id bigint PRIMARY KEY,
    collector_id uuid,
    claimed_until timestamptz NOT NULL,
    state bytea
);
-- Sketches of numbers: hardly smaller when compressed, and rewritten every two hours.
ALTER TABLE heapfleet.sweep_claim ALTER COLUMN state SET STORAGE EXTENDED;
COMMENT ON TABLE heapfleet.sweep_claim IS 'Services as the detector has them: one judge at a time.';
COMMENT ON COLUMN heapfleet.sweep_claim.service_id IS 'service.id';
COMMENT ON COLUMN heapfleet.sweep_claim.collector_id IS 'Who judges it; NULL: nobody.';
COMMENT ON COLUMN heapfleet.sweep_claim.claimed_until IS 'Later than this anybody may take it over.';
COMMENT ON COLUMN heapfleet.sweep_claim.state IS
    'What the detector remembers of the service, for whoever judges it next; NULL: nothing yet, or '
    'it is to be built anew from history.';
