-- How many turns of a tenant a statement that adds `wanted` of them may mark as dispatched, and into which queue: as
-- many as the tenant has free slots for, besides its turns that wait for one. They are heads of their sessions that
-- every worker can run. None where more than 64 wait, since that is a backlog, which is not worth counting, where workers
-- differ, since the queue is then one of several (turnpike_dispatch_by_pool), and where the tenant or the default pool is
-- paused.
--
-- Invariant: where the result is positive, the tenant's dispatch lock is held until the caller's transaction ends, so
-- that the next to count sees these turns. It is a function because the count must be read after the lock is held. The
-- lock is waited for about two milliseconds, which is how long another dispatch takes, and no longer: the caller may
-- hold rows of other tenants.
CREATE OR REPLACE FUNCTION turnpike_take_slots(of_tenant text, wanted integer, OUT free integer, OUT queue text)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    key bigint := hashtextextended('turnpike.dispatch ' || of_tenant, 0);
    live record;
    others integer;
    tries integer := 0;
BEGIN
    free := 0;
    SELECT count(DISTINCT workers.queue) AS queues, min(workers.queue) AS queue, min(workers.pool) AS pool,
        min(workers.code_tools) AS code_tools, greatest(8, coalesce(sum(workers.concurrency), 64) / 4.0) AS share
    INTO live FROM workers WHERE workers.seen_at > now() - interval '30 seconds';
    IF live.queues > 1 OR live.pool <> 'default' OR EXISTS (SELECT 1 FROM paused_pools WHERE pool = 'default') THEN
        RETURN;
    END IF;
    SELECT count(*) INTO others FROM (
        SELECT 1 FROM turns AS waiting
        WHERE waiting.tenant_id = of_tenant AND waiting.status = 'queued' AND waiting.ready_at IS NOT NULL
          AND waiting.dispatched_at IS NULL AND waiting.available_at IS NULL
          AND waiting.pool = 'default' AND waiting.code_tools <@ coalesce(live.code_tools, '{}')
        LIMIT 65
    ) AS found;
    IF others > 64 THEN
        RETURN;
    END IF;
    WHILE NOT pg_try_advisory_xact_lock(key) LOOP
        tries := tries + 1;
        IF tries > 8 THEN
            RETURN;
        END IF;
        PERFORM pg_sleep(0.00025);
    END LOOP;
    SELECT CASE WHEN tenants.paused_at IS NOT NULL THEN 0 ELSE greatest(0, least(wanted, least(
               tenants.max_running_turns - held.turns,
               greatest(1, round(tenants.weight * live.share)) - held.unclaimed
           ) - others)) END,
           coalesce(live.queue, 'turns')
    INTO free, queue
    FROM tenants, (
        SELECT count(*) AS turns, count(*) FILTER (WHERE turns.status = 'queued') AS unclaimed
        FROM turns WHERE turns.tenant_id = of_tenant AND turns.dispatched_at IS NOT NULL
    ) AS held
    WHERE tenants.id = of_tenant;
END;
$$;
