-- Dispatch for programs of the version before pools: they know one queue, `turns`, which workers without tools in code
-- consume. What else waits is dispatched by the others.
CREATE OR REPLACE FUNCTION turnpike_dispatch(finished_sessions text[], touched_tenants text[])
RETURNS TABLE (turn_id text, turn_epoch integer, turn_hint integer, turn_tenant text)
LANGUAGE sql VOLATILE AS $$
    SELECT turn_id, turn_epoch, turn_hint, turn_tenant
    FROM turnpike_dispatch_by_pool(finished_sessions, touched_tenants, true);
$$;
