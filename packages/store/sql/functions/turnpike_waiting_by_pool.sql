-- What more workers of a pool would do something about: for autoscalers, which may ask it with a statement of their own.
--
-- Invariant: a turn counts only where a worker is what it lacks. It was dispatched and nobody has claimed it, or its pool
-- has no live worker with its tools. One that waits for a slot of its tenant, or for its time, does not count: no worker
-- would run it.
--
-- Returns a row for each pool that has such turns, or a live worker; each kind of turn is counted up to 100,000.
CREATE OR REPLACE FUNCTION turnpike_waiting_by_pool()
RETURNS TABLE (pool text, waiting integer, oldest_seconds double precision)
LANGUAGE sql STABLE AS $$
    SELECT counted.pool, count(counted.since)::integer,
        coalesce(extract(epoch FROM now() - min(counted.since)), 0)::double precision
    FROM (
        (SELECT turns.pool, turns.dispatched_at AS since FROM turns
         WHERE turns.status = 'queued' AND turns.dispatched_at IS NOT NULL LIMIT 100000)
        UNION ALL
        (SELECT turns.pool, turns.ready_at FROM turns
         WHERE turns.status = 'queued' AND turns.waiting_for IS NOT NULL AND turns.dispatched_at IS NULL LIMIT 100000)
        UNION ALL
        SELECT DISTINCT workers.pool, NULL::timestamptz FROM workers
        WHERE workers.seen_at > now() - interval '30 seconds'
    ) AS counted
    GROUP BY counted.pool
$$;
