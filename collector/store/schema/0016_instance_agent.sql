-- Which run of an agent a process's snapshots come from, so that what it sends again is told apart
-- from what another one has overtaken, without a mark for each snapshot.

ALTER TABLE heapfleet.instance ADD COLUMN agent_id uuid,
    ADD COLUMN agent_from bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN heapfleet.instance.agent_id IS
    'The run of an agent that announced it last; NULL: not since schema 16.';
COMMENT ON COLUMN heapfleet.instance.agent_from IS
    'The newest snapshot that there was when that run announced it first: later ones are its own.';
COMMENT ON COLUMN heapfleet.agent.sequence IS
    'Everything that this run sent up to here is stored, or was refused. More may be: it is written '
    'down with the first and the last commit of a stream, and once an hour.';
