-- Counts a tenant's queued turns, up to `cap`, so that a caller who adds one cannot exceed the cap.
--
-- Invariant: the lock is held until the caller's transaction ends, so each caller that counts before it adds sees what
-- every earlier one added. This is a function rather than a part of the caller's statement because the count must be
-- read after the lock is held.
--
-- Lock order: this lock, then the one for sessions, then rows. A caller that also locks rows takes this lock first.
CREATE OR REPLACE FUNCTION turnpike_count_waiting(of_tenant text, cap integer) RETURNS integer
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('turnpike.waiting ' || of_tenant, 0));
    RETURN (SELECT count(*) FROM (
        SELECT 1 FROM turns WHERE turns.tenant_id = of_tenant AND turns.status = 'queued' LIMIT cap
    ) AS waiting);
END;
$$;
