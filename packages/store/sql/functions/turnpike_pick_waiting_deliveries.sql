-- Picks waiting deliveries of up to most_receivers receivers that may be tried now.
--
-- Invariant: every waiting delivery that is not fresh has a row for its receiver whose `try_at` is no later than the
-- delivery's next attempt. So no waiting delivery is read before its time, however many there are.
--
-- The receivers are locked by a statement of their own: whoever makes a delivery wait lowers `try_at` under the same
-- lock, in the same commit. The next statement has a newer snapshot, which includes everything committed before the lock
-- was acquired; a later commit lowers the time that is written here.
--
-- window_size: the most deliveries of one receiver that are queued or claimed; one while its breaker is not closed (the
-- probe). probe_ms: how long a probe may take.
CREATE OR REPLACE FUNCTION turnpike_pick_waiting_deliveries(
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
        -- As an array: for a join, a planner that expects more rows would read the whole table.
        WHERE deliveries.id = ANY (ARRAY(SELECT due.id FROM due))
        RETURNING deliveries.id, deliveries.hint
    )
    SELECT coalesce(jsonb_agg(jsonb_build_object('deliveryId', hinted.id, 'hint', hinted.hint)), '[]')
    INTO picked FROM hinted;
    -- A probe's outcome sets when its receiver is tried again; if its worker dies, that is after probe_ms.
    -- A receiver with a full window is tried again a moment later, after those that are due now.
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
