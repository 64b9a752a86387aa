-- Of a collector that stood still while another one took its service over, nothing may be written any
-- more: a claim is counted, and what it was made under is asked for whenever something is. What the
-- detector remembers lies in pieces, as one value of a large service is more than a statement should
-- carry. The rules of 0001 hold.

ALTER TABLE heapfleet.sweep_claim ADD COLUMN epoch bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN heapfleet.sweep_claim.epoch IS
    'How often it was taken: who had it before has another one.';

CREATE TABLE heapfleet.sweep_state (
    service_id bigint NOT NULL,
    place integer NOT NULL,
    piece bytea NOT NULL,
    PRIMARY KEY (service_id, place)
);
COMMENT ON TABLE heapfleet.sweep_state IS
    'What the detector remembers of a service, for whoever judges it next; no rows: nothing yet, or it '
    'is to be built anew from history.';
COMMENT ON COLUMN heapfleet.sweep_state.service_id IS 'service.id';
COMMENT ON COLUMN heapfleet.sweep_state.place IS 'Pieces are put together in this order, from 0.';
COMMENT ON COLUMN heapfleet.sweep_state.piece IS 'At most 4 MB of it.';

INSERT INTO heapfleet.sweep_state (service_id, place, piece)
    SELECT service_id, 0, state FROM heapfleet.sweep_claim WHERE length(state) > 0;
ALTER TABLE heapfleet.sweep_claim DROP COLUMN state;
