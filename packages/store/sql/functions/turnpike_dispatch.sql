-- Dispatch: decides which turns may run.
--
-- Invariant: a turn is dispatched only while it is the head of its session, and a tenant never has more turns dispatched
-- than its cap, however many processes dispatch at once.
--
-- This is a function rather than one statement because the count must be read after the lock is held: in a volatile
-- function each statement sees what was committed before that statement began.
--
-- finished_sessions: sessions whose head may have changed.
-- touched_tenants: tenants that may have a turn to run, or that have capacity again.
-- Returns the dispatched turns, with the epoch that a claim must find and the number of the job; and a row with only
-- turn_tenant for each tenant that has turns to run but no capacity.
CREATE OR REPLACE FUNCTION turnpike_dispatch(finished_sessions text[], touched_tenants text[])
RETURNS TABLE (turn_id text, turn_epoch integer, turn_hint integer, turn_tenant text)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    tenant record;
    share double precision;
    places integer;
BEGIN
    UPDATE turns SET ready_at = clock_timestamp()
    FROM unnest(finished_sessions) AS finished(session_id)
    CROSS JOIN LATERAL (
        SELECT open.id FROM turns AS open
        WHERE open.session_id = finished.session_id
          AND open.status IN ('queued', 'in_progress', 'requires_action', 'cancelling')
        ORDER BY open.sequence
        LIMIT 1
    ) AS head
    WHERE turns.id = head.id AND turns.status = 'queued' AND turns.ready_at IS NULL;

    SELECT greatest(8, coalesce(sum(workers.concurrency), 64) / 4.0) INTO share
    FROM workers WHERE workers.seen_at > now() - interval '30 seconds';

    -- Tenants in one order, so that two dispatches cannot deadlock.
    FOR tenant IN
        SELECT tenants.id, tenants.max_running_turns, greatest(1, round(tenants.weight * share)) AS most_unclaimed
        FROM tenants WHERE tenants.id = ANY (touched_tenants) ORDER BY tenants.id
    LOOP
        -- Nothing to dispatch: whoever makes a turn ready later also calls dispatch.
        CONTINUE WHEN NOT EXISTS (
            SELECT 1 FROM turns AS waiting
            WHERE waiting.tenant_id = tenant.id AND waiting.status = 'queued' AND waiting.ready_at IS NOT NULL
              AND waiting.dispatched_at IS NULL AND waiting.available_at IS NULL
        );
        PERFORM pg_advisory_xact_lock(hashtextextended('turnpike.dispatch ' || tenant.id, 0));
        SELECT least(tenant.max_running_turns - count(*),
                     tenant.most_unclaimed - count(*) FILTER (WHERE turns.status = 'queued'))
        INTO places
        FROM turns WHERE turns.tenant_id = tenant.id AND turns.dispatched_at IS NOT NULL;
        IF places > 0 THEN
            RETURN QUERY
            -- MATERIALIZED: inlined into a nested loop, the limit would apply to each iteration.
            WITH picked AS MATERIALIZED (
                SELECT waiting.id FROM turns AS waiting
                WHERE waiting.tenant_id = tenant.id AND waiting.status = 'queued'
                  AND waiting.ready_at IS NOT NULL AND waiting.dispatched_at IS NULL
                  AND waiting.available_at IS NULL
                ORDER BY waiting.priority DESC, waiting.ready_at
                LIMIT places
                FOR UPDATE SKIP LOCKED
            )
            UPDATE turns
            SET dispatched_at = clock_timestamp(), hinted_at = clock_timestamp(), hint = turns.hint + 1
            FROM picked WHERE turns.id = picked.id
            RETURNING turns.id, turns.epoch, turns.hint, turns.tenant_id;
        ELSE
            RETURN QUERY SELECT NULL::text, NULL::integer, NULL::integer, tenant.id;
        END IF;
    END LOOP;
END;
$$;
