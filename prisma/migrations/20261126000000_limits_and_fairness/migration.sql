-- AlterTable
ALTER TABLE "tenants" ADD COLUMN "limits" JSONB NOT NULL DEFAULT '{}',
    ADD COLUMN "weight" DOUBLE PRECISION NOT NULL DEFAULT 1;

-- AlterTable
-- `available_at` is null as soon as the time has come, so that an index can tell turns that may run
-- from turns that may not yet.
ALTER TABLE "turns" ADD COLUMN "priority" INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN "run_at" TIMESTAMPTZ(3),
    ALTER COLUMN "available_at" DROP NOT NULL,
    ALTER COLUMN "available_at" DROP DEFAULT;

UPDATE "turns" SET "available_at" = NULL
WHERE "status" IN ('queued', 'in_progress', 'requires_action', 'cancelling') AND "available_at" <= now();

-- CreateTable
CREATE TABLE "workers" (
    "id" TEXT NOT NULL,
    "concurrency" INTEGER NOT NULL,
    "seen_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "workers_pkey" PRIMARY KEY ("id")
);

-- What Prisma's schema cannot say ------------------------------------------------------------

ALTER TABLE "tenants" ADD CONSTRAINT "tenants_limits_check" CHECK (jsonb_typeof("limits") = 'object');
ALTER TABLE "tenants" ADD CONSTRAINT "tenants_weight_check" CHECK ("weight" BETWEEN 0.1 AND 10);
ALTER TABLE "turns" ADD CONSTRAINT "turns_priority_check" CHECK ("priority" BETWEEN -100 AND 100);

-- Heads that may run and wait for a place of their tenant, in the order in which they get one. What may
-- not run yet is not in it, so that dispatch does not read past it.
DROP INDEX "turns_ready";
CREATE INDEX "turns_ready" ON "turns"("tenant_id", "priority" DESC, "ready_at")
    WHERE "status" = 'queued' AND "ready_at" IS NOT NULL AND "dispatched_at" IS NULL AND "available_at" IS NULL;

-- Turns whose time has not come, soonest first: scheduled ones, and those that wait before another try.
CREATE INDEX "turns_delayed" ON "turns"("available_at") WHERE "status" = 'queued' AND "available_at" IS NOT NULL;

-- What a tenant has waiting, to be counted.
CREATE INDEX "turns_waiting" ON "turns"("tenant_id") WHERE "status" = 'queued';

-- Counts, up to `cap`, what a tenant has waiting, so that whoever adds to it under that cap is certain.
--
-- Invariant: the lock is held until the caller's transaction ends, so of those that count before they add,
-- each sees what all before it added. It is a function, and not part of the caller's statement, because
-- the count must be read after the lock is held.
--
-- Whoever locks sessions or turns before it adds takes this lock before those: the order is this one, then
-- that of the sessions, then rows.
CREATE FUNCTION "turnpike_count_waiting"(of_tenant text, cap integer) RETURNS integer
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('turnpike.waiting ' || of_tenant, 0));
    RETURN (SELECT count(*) FROM (
        SELECT 1 FROM turns WHERE turns.tenant_id = of_tenant AND turns.status = 'queued' LIMIT cap
    ) AS waiting);
END;
$$;

-- The same for its sessions.
CREATE FUNCTION "turnpike_count_sessions"(of_tenant text, cap integer) RETURNS integer
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('turnpike.sessions ' || of_tenant, 0));
    RETURN (SELECT count(*) FROM (
        SELECT 1 FROM sessions WHERE sessions.tenant_id = of_tenant LIMIT cap
    ) AS kept);
END;
$$;

-- Dispatch: which turns may run.
--
-- Invariant: a turn is dispatched only while it is the head of its session and its time has come. A tenant
-- never has more turns dispatched than its cap, and never more of them that no worker has taken yet than
-- its window, however many processes dispatch at once.
--
-- The window is what makes shares: the queue is first in, first out, and a tenant with a backlog always
-- has its window in it, so tenants are served in proportion to their windows, which are in proportion to
-- their weights. A turn of somebody else waits for the windows before it, and not for the backlogs. It
-- grows with the places that all live workers have together, so that none of them waits for the next
-- dispatch; where no worker is known, 64 are assumed.
--
-- It is a function, and not one statement, because the count must be read after the lock is
-- held: inside a volatile function every statement sees what was committed before it began.
--
-- finished_sessions: sessions whose head may have changed.
-- touched_tenants: tenants that may have a turn to run or a place to give.
-- Returns the turns to hint, with the epoch that their claim must find, and whose they are; and a row without
-- a turn for each tenant whose turns wait, and which has no place for them.
DROP FUNCTION "turnpike_dispatch"(text[], text[]);
CREATE FUNCTION "turnpike_dispatch"(finished_sessions text[], touched_tenants text[])
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

    -- In one order everywhere, so that two dispatches never wait for each other in a circle.
    FOR tenant IN
        SELECT tenants.id, tenants.max_running_turns, greatest(1, round(tenants.weight * share)) AS most_unclaimed
        FROM tenants WHERE tenants.id = ANY (touched_tenants) ORDER BY tenants.id
    LOOP
        -- Nothing to dispatch: what comes later brings a dispatch of its own.
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
            -- MATERIALIZED: planned into a loop, the limit would hold for each look, and not for all.
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
