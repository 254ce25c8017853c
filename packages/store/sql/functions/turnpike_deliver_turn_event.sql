-- Trigger function: the outbox. Creates the deliveries of a turn's event when the event is inserted.
--
-- Invariant: an event and its deliveries are committed together or not at all, whichever statement wrote the event.
-- It is a trigger because many statements and functions write events; it runs after the whole statement, so it sees the
-- turn as the statement left it.
--
-- A tenant without endpoints, and a turn without a URL, cost two index look-ups. A disabled endpoint gets its events as
-- dead letters, which can be redelivered once it works again.
CREATE OR REPLACE FUNCTION turnpike_deliver_turn_event() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    target record;
    body jsonb;
BEGIN
    FOR target IN
        SELECT id AS endpoint_id, NULL::text AS url, id AS lane,
               CASE WHEN enabled THEN 'pending' ELSE 'dead' END AS status
        FROM webhook_endpoints
        WHERE tenant_id = NEW.tenant_id AND deleted_at IS NULL AND NEW.type = ANY (events)
        UNION ALL
        -- Webhook URLs of turns at one origin share a concurrency limit and a circuit breaker.
        SELECT NULL, webhook_url, tenant_id || ' ' || substring(webhook_url FROM '^[a-z]+://[^/?#]+'), 'pending'
        FROM turns
        WHERE id = NEW.turn_id AND webhook_url IS NOT NULL
          AND NEW.type NOT IN ('turn.queued', 'turn.started')
    LOOP
        body := coalesce(body, turnpike_turn_snapshot(NEW.turn_id)
                               || jsonb_build_object('sequence_number', NEW.sequence_number));
        INSERT INTO deliveries (id, tenant_id, endpoint_id, url, lane, event_id, type, turn_id, payload, status)
        VALUES (turnpike_new_id('dlv'), NEW.tenant_id, target.endpoint_id, target.url, target.lane, NEW.id,
                NEW.type, NEW.turn_id, body, target.status);
    END LOOP;
    RETURN NULL;
END;
$$;
