-- Lists that look at the processes asked for, not at all that ever were.

-- Where a deployment began is the first entry of it.
CREATE INDEX instance_by_start ON heapfleet.instance (service_id, deployment_id, started_ms);
DROP INDEX heapfleet.instance_by_deployment;

-- Few at a time: those that nobody saw end, with what a list of services wants to know of them.
CREATE INDEX instance_open ON heapfleet.instance (service_id, id)
    INCLUDE (deployment_id, started_ms, clock_behind_ms) WHERE ended_ms IS NULL;
