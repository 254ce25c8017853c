-- AlterTable
ALTER TABLE "deliveries" ADD COLUMN "fresh" BOOLEAN NOT NULL DEFAULT true;

-- CreateTable
CREATE TABLE "webhook_receivers" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "failures" INTEGER NOT NULL DEFAULT 0,
    "openings" INTEGER NOT NULL DEFAULT 0,
    "open_until" TIMESTAMPTZ(3),
    "try_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "webhook_receivers_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "webhook_receivers_try_at_idx" ON "webhook_receivers"("try_at");

-- CreateIndex
CREATE INDEX "webhook_receivers_tenant_id_idx" ON "webhook_receivers"("tenant_id");

-- AddForeignKey
ALTER TABLE "webhook_receivers" ADD CONSTRAINT "webhook_receivers_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- What Prisma's schema cannot say ------------------------------------------------------------

-- Deliveries whose receiver has not heard of them yet, in the order in which they came.
CREATE INDEX "deliveries_fresh" ON "deliveries"("id")
    WHERE "fresh" AND "status" IN ('pending', 'failed') AND "hinted_at" IS NULL;

-- Receivers whose circuit breaker is not closed: for metrics, and for those that nobody writes to any more.
CREATE INDEX "webhook_receivers_open" ON "webhook_receivers"("open_until") WHERE "open_until" IS NOT NULL;

-- Picks deliveries that wait behind their receivers, of up to most_receivers that may be tried now.
--
-- Invariant: a delivery that waits and is not fresh lies behind a row of its receiver whose `try_at` is not later
-- than the time from which it may be attempted. So nothing that waits is looked at before, however much there is.
--
-- The receivers are locked by a statement of their own: whoever makes a delivery wait lowers `try_at` under the
-- same lock, in the same commit. The statement after it has a newer snapshot, and sees all that was committed
-- before the lock was taken; what comes after lowers the time that is written here.
--
-- window_size: the most that one receiver has in the queue and on its way; a single one while its breaker is not
-- closed, which is the probe. probe_ms: how long that one may take.
CREATE FUNCTION "turnpike_pick_waiting_deliveries"(
    most_receivers integer, window_size integer, probe_ms double precision,
    OUT picked jsonb, OUT receivers integer
)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    chosen text[];
BEGIN
    chosen := ARRAY(SELECT id FROM webhook_receivers WHERE try_at <= now()
                    ORDER BY try_at LIMIT most_receivers FOR UPDATE SKIP LOCKED);
    receivers := cardinality(chosen);
    WITH due AS MATERIALIZED (
        SELECT found.id FROM unnest(chosen) AS receiver(id) CROSS JOIN LATERAL (
            SELECT deliveries.id FROM deliveries
            WHERE deliveries.lane = receiver.id AND deliveries.status IN ('pending', 'failed')
              AND deliveries.hinted_at IS NULL AND deliveries.next_attempt_at <= now()
            ORDER BY deliveries.next_attempt_at
            LIMIT greatest(0, (SELECT CASE WHEN open_until IS NULL THEN window_size ELSE 1 END
                               FROM webhook_receivers WHERE webhook_receivers.id = receiver.id)
                            - (SELECT count(*) FROM deliveries AS in_window
                               WHERE in_window.lane = receiver.id AND in_window.status IN ('pending', 'failed')
                                 AND in_window.hinted_at IS NOT NULL))
            FOR UPDATE SKIP LOCKED
        ) AS found
    ), hinted AS (
        UPDATE deliveries SET hinted_at = now(), hint = deliveries.hint + 1, fresh = false
        -- As a list: joined, a planner that expects more of them would read the whole table.
        WHERE deliveries.id = ANY (ARRAY(SELECT due.id FROM due))
        RETURNING deliveries.id, deliveries.hint
    )
    SELECT coalesce(jsonb_agg(jsonb_build_object('deliveryId', hinted.id, 'hint', hinted.hint)), '[]')
    INTO picked FROM hinted;
    -- A probe says itself when its receiver is to be tried again; what its worker cannot say comes after its time.
    -- A receiver with a full window is looked at again a moment later, after those that are due now.
    UPDATE webhook_receivers
    SET try_at = CASE WHEN open_until IS NOT NULL AND EXISTS (
                          SELECT 1 FROM deliveries WHERE deliveries.lane = webhook_receivers.id
                            AND deliveries.status IN ('pending', 'failed') AND deliveries.hinted_at IS NOT NULL)
                      THEN now() + probe_ms * interval '1 millisecond'
                      ELSE greatest(now() + interval '50 milliseconds', coalesce((
                          SELECT deliveries.next_attempt_at FROM deliveries
                          WHERE deliveries.lane = webhook_receivers.id AND deliveries.status IN ('pending', 'failed')
                            AND deliveries.hinted_at IS NULL
                          ORDER BY deliveries.next_attempt_at LIMIT 1), 'infinity')) END
    WHERE id = ANY (chosen);
    DELETE FROM webhook_receivers WHERE id = ANY (chosen) AND try_at = 'infinity' AND failures = 0;
END;
$$;

-- Notes what an attempt says of its receiver, whose circuit breaker opens after failures_to_open of them in a row:
-- for open_ms, twice as long each time the probe after it fails, up to most_open_ms, with jitter downwards.
--
-- Invariant: while the breaker is open nothing of its receiver is in the queue but what a worker has in hand.
--
-- succeeded: NULL for an attempt that says nothing of the receiver. Returns whether the breaker opened.
CREATE FUNCTION "turnpike_note_receiver"(
    receiver text, tenant text, succeeded boolean, failures_to_open integer, open_ms double precision,
    most_open_ms double precision
) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    noted webhook_receivers%ROWTYPE;
BEGIN
    IF succeeded IS NULL THEN
        RETURN false;
    END IF;
    IF succeeded THEN
        UPDATE webhook_receivers SET failures = 0, openings = 0, open_until = NULL, try_at = least(try_at, now())
        WHERE id = receiver AND failures > 0;
        RETURN false;
    END IF;
    INSERT INTO webhook_receivers AS known (id, tenant_id, failures, try_at) VALUES (receiver, tenant, 1, 'infinity')
    ON CONFLICT (id) DO UPDATE SET failures = known.failures + 1
    RETURNING * INTO noted;
    -- Attempts that were under way when it opened do not keep it open for longer.
    IF noted.failures < failures_to_open OR noted.open_until > now() THEN
        RETURN false;
    END IF;
    UPDATE webhook_receivers
    SET openings = openings + 1, open_until = until.time, try_at = until.time
    FROM (SELECT now() + least(most_open_ms, open_ms * 2 ^ least(noted.openings, 30)) * (1 - random() / 4)
                 * interval '1 millisecond' AS time) AS until
    WHERE id = receiver;
    UPDATE deliveries SET hinted_at = NULL
    WHERE id = ANY (ARRAY(
        SELECT deliveries.id FROM deliveries
        WHERE lane = receiver AND status IN ('pending', 'failed') AND hinted_at IS NOT NULL
          AND (claimed_until IS NULL OR claimed_until <= now())
        FOR UPDATE SKIP LOCKED));
    RETURN true;
END;
$$;
