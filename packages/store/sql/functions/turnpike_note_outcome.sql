-- Records the outcome of an attempt at an endpoint, and disables an endpoint that is gone or has failed for too long.
--
-- Invariant: an endpoint is disabled once, in the commit that announces it. Returns the reason, NULL if not disabled.
--
-- limit_ms, least_failures: for how long, and how often, it must have failed without a success in between.
CREATE OR REPLACE FUNCTION turnpike_note_outcome(
    endpoint text, succeeded boolean, gone boolean, limit_ms double precision, least_failures integer,
    new_event_id text
) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    disabled webhook_endpoints%ROWTYPE;
BEGIN
    IF succeeded THEN
        UPDATE webhook_endpoints SET failing_since = NULL, failures = 0
        WHERE id = endpoint AND (failing_since IS NOT NULL OR failures > 0);
        RETURN NULL;
    END IF;
    UPDATE webhook_endpoints SET failing_since = coalesce(failing_since, now()), failures = failures + 1
    WHERE id = endpoint AND enabled;
    UPDATE webhook_endpoints
    SET enabled = false, disabled_at = now(), updated_at = now(),
        disabled_reason = CASE WHEN gone THEN 'gone' ELSE 'failing' END
    WHERE id = endpoint AND enabled
      AND (gone OR (failures >= least_failures AND failing_since <= now() - limit_ms * interval '1 millisecond'))
    RETURNING * INTO disabled;
    IF disabled.id IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM turnpike_announce(disabled.tenant_id, new_event_id, 'webhook_endpoint.disabled', jsonb_build_object(
        'webhook_endpoint', jsonb_build_object('id', disabled.id, 'url', disabled.url, 'reason', disabled.disabled_reason)));
    RETURN disabled.disabled_reason;
END;
$$;
