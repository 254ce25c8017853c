-- Records the outcome of an attempt for its receiver's circuit breaker. The breaker opens after failures_to_open failures
-- in a row, for open_ms; the time doubles with each failed probe, up to most_open_ms, less up to a quarter of jitter.
--
-- Invariant: while the breaker is open, the queue holds nothing for its receiver except what a worker has claimed.
--
-- succeeded: NULL for an attempt that says nothing about the receiver. Returns whether the breaker opened.
CREATE OR REPLACE FUNCTION turnpike_note_receiver(
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
    -- Failures of attempts that were under way when it opened do not extend the time.
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
