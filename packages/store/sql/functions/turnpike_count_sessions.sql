-- Counts a tenant's sessions, up to `cap`, so that a caller who adds one cannot exceed the cap.
--
-- Invariant: as turnpike_count_waiting, with a lock for sessions.
CREATE OR REPLACE FUNCTION turnpike_count_sessions(of_tenant text, cap integer) RETURNS integer
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('turnpike.sessions ' || of_tenant, 0));
    RETURN (SELECT count(*) FROM (
        SELECT 1 FROM sessions WHERE sessions.tenant_id = of_tenant LIMIT cap
    ) AS kept);
END;
$$;
