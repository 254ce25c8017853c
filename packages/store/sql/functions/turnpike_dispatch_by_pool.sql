-- Dispatch: decides which turns may run, and into which queue the job of each is put.
--
-- Invariants: a turn is dispatched only while it is the head of its session; a tenant never has more turns dispatched
-- than its cap, however many processes dispatch at once; a turn that names tools in code, or another pool than the
-- default one, is dispatched only into the queue of live workers of its pool that have its tools; and no turn of a paused
-- tenant or of a paused pool is dispatched. Who pauses a tenant holds its dispatch lock, so the pause is read under it.
--
-- This is a function rather than one statement because the count must be read after the lock is held: in a volatile
-- function each statement sees what was committed before that statement began.
--
-- finished_sessions: sessions whose head may have changed.
-- touched_tenants: tenants that may have a turn to run, or that have capacity again.
-- only_plain: only turns of the default pool without tools in code, into its queue `turns`.
-- Returns the dispatched turns, with the epoch that a claim must find, the number of the job and its queue, null for
-- `turns`; and a row with only turn_tenant for each tenant that has turns to run but no capacity.
CREATE OR REPLACE FUNCTION turnpike_dispatch_by_pool(
    finished_sessions text[], touched_tenants text[], only_plain boolean
)
RETURNS TABLE (turn_id text, turn_epoch integer, turn_hint integer, turn_tenant text, turn_queue text)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    tenant record;
    live record;
    share double precision;
    places integer;
    paused text[] := ARRAY(SELECT pool FROM paused_pools);
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

    -- Mostly all workers are alike. Then one queue is all that there is to know of them.
    SELECT count(DISTINCT workers.queue) AS queues, min(workers.queue) AS queue, min(workers.pool) AS pool,
        min(workers.code_tools) AS code_tools, sum(workers.concurrency) AS slots
    INTO live FROM workers WHERE workers.seen_at > now() - interval '30 seconds' AND workers.pool <> ALL (paused);
    share := greatest(8, coalesce(live.slots, 64) / 4.0);
    IF only_plain OR live.queues = 0 THEN
        IF 'default' = ANY (paused) THEN
            RETURN;
        END IF;
        live.queues := 1;
        live.pool := 'default';
        live.queue := 'turns';
        live.code_tools := '{}';
    END IF;

    -- Tenants in one order, so that two dispatches cannot deadlock.
    FOR tenant IN
        SELECT tenants.id, tenants.weight, tenants.max_running_turns,
            greatest(1, round(tenants.weight * share)) AS most_unclaimed
        FROM tenants WHERE tenants.id = ANY (touched_tenants) ORDER BY tenants.id
    LOOP
        -- Nothing to dispatch: whoever makes a turn ready later also calls dispatch.
        CONTINUE WHEN NOT EXISTS (
            SELECT 1 FROM turns AS waiting
            WHERE waiting.tenant_id = tenant.id AND waiting.status = 'queued' AND waiting.ready_at IS NOT NULL
              AND waiting.dispatched_at IS NULL AND waiting.available_at IS NULL
        );
        PERFORM pg_advisory_xact_lock(hashtextextended('turnpike.dispatch ' || tenant.id, 0));
        CONTINUE WHEN EXISTS (SELECT 1 FROM tenants WHERE tenants.id = tenant.id AND tenants.paused_at IS NOT NULL);
        SELECT least(tenant.max_running_turns - count(*),
                     CASE WHEN live.queues = 1 AND live.pool = 'default'
                          THEN tenant.most_unclaimed - count(*) FILTER (WHERE turns.status = 'queued') END)
        INTO places
        FROM turns WHERE turns.tenant_id = tenant.id AND turns.dispatched_at IS NOT NULL;
        IF places <= 0 THEN
            RETURN QUERY SELECT NULL::text, NULL::integer, NULL::integer, tenant.id, NULL::text;
        ELSIF live.queues = 1 AND live.pool = 'default' THEN
            RETURN QUERY
            -- MATERIALIZED: inlined into a nested loop, the limit would apply to each iteration.
            WITH picked AS MATERIALIZED (
                SELECT waiting.id FROM turns AS waiting
                WHERE waiting.tenant_id = tenant.id AND waiting.status = 'queued'
                  AND waiting.ready_at IS NOT NULL AND waiting.dispatched_at IS NULL
                  AND waiting.available_at IS NULL
                  AND waiting.pool = 'default' AND waiting.code_tools <@ live.code_tools
                ORDER BY waiting.priority DESC, waiting.ready_at
                LIMIT places
                FOR UPDATE SKIP LOCKED
            )
            UPDATE turns
            SET dispatched_at = clock_timestamp(), hinted_at = clock_timestamp(), hint = turns.hint + 1,
                queue = nullif(live.queue, 'turns')
            FROM picked WHERE turns.id = picked.id
            RETURNING turns.id, turns.epoch, turns.hint, turns.tenant_id, turns.queue;
        ELSE
            -- A queue for each set of tools that live workers of a pool have. Where no worker of the default pool is
            -- alive, its plain turns wait in its plain queue, as 64 slots would allow.
            RETURN QUERY
            WITH lanes AS MATERIALIZED (
                SELECT workers.queue, workers.pool, workers.code_tools, sum(workers.concurrency) AS slots
                FROM workers WHERE workers.seen_at > now() - interval '30 seconds' AND workers.pool <> ALL (paused)
                GROUP BY workers.queue, workers.pool, workers.code_tools
                UNION ALL
                SELECT 'turns', 'default', '{}', 64 WHERE 'default' <> ALL (paused) AND NOT EXISTS (
                    SELECT 1 FROM workers WHERE workers.seen_at > now() - interval '30 seconds' AND workers.pool = 'default'
                )
            ), pools AS MATERIALIZED (
                SELECT lanes.pool, greatest(1, round(tenant.weight * greatest(8, sum(lanes.slots) / 4.0))) - (
                    SELECT count(*) FROM turns AS unclaimed
                    WHERE unclaimed.tenant_id = tenant.id AND unclaimed.dispatched_at IS NOT NULL
                      AND unclaimed.status = 'queued' AND unclaimed.pool = lanes.pool
                ) AS free_places
                FROM lanes GROUP BY lanes.pool
            ), picked AS MATERIALIZED (
                SELECT waiting.id, waiting.pool, waiting.code_tools
                FROM pools CROSS JOIN LATERAL (
                    SELECT inner_turns.id, inner_turns.pool, inner_turns.code_tools, inner_turns.priority, inner_turns.ready_at
                    FROM turns AS inner_turns
                    WHERE inner_turns.tenant_id = tenant.id AND inner_turns.status = 'queued'
                      AND inner_turns.ready_at IS NOT NULL AND inner_turns.dispatched_at IS NULL
                      AND inner_turns.available_at IS NULL AND inner_turns.pool = pools.pool
                      AND EXISTS (SELECT 1 FROM lanes WHERE lanes.pool = pools.pool
                                  AND inner_turns.code_tools <@ lanes.code_tools)
                    ORDER BY inner_turns.priority DESC, inner_turns.ready_at
                    LIMIT greatest(0, pools.free_places)
                    FOR UPDATE OF inner_turns SKIP LOCKED
                ) AS waiting
                ORDER BY waiting.priority DESC, waiting.ready_at
                LIMIT places
            ), routed AS MATERIALIZED (
                -- By chance, in proportion to their slots: nobody knows here which workers are free.
                SELECT picked.id, (
                    SELECT lanes.queue FROM lanes
                    WHERE lanes.pool = picked.pool AND picked.code_tools <@ lanes.code_tools
                    ORDER BY ln(1 - random()) / lanes.slots DESC LIMIT 1
                ) AS queue
                FROM picked
            )
            UPDATE turns
            SET dispatched_at = clock_timestamp(), hinted_at = clock_timestamp(), hint = turns.hint + 1,
                queue = nullif(routed.queue, 'turns')
            FROM routed WHERE turns.id = routed.id
            RETURNING turns.id, turns.epoch, turns.hint, turns.tenant_id, turns.queue;
            IF NOT FOUND THEN
                RETURN QUERY SELECT NULL::text, NULL::integer, NULL::integer, tenant.id, NULL::text;
            END IF;
        END IF;
    END LOOP;
END;
$$;
