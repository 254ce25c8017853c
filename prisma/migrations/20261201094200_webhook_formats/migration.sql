-- The words that webhooks of an endpoint are in: Turnpike's own, or those of OpenAI's webhooks.
ALTER TABLE "webhook_endpoints" ADD COLUMN "format" TEXT NOT NULL DEFAULT 'turnpike';
ALTER TABLE "webhook_endpoints"
    ADD CONSTRAINT "webhook_endpoints_format_check" CHECK ("format" IN ('turnpike', 'openai')) NOT VALID;

-- Trigger function: the outbox. Creates the deliveries of turns' events when the events are inserted.
--
-- Invariant: an event and its deliveries are committed together or not at all, whichever statement wrote the event.
-- It is a trigger because many statements and functions write events; it runs after the whole statement, so it sees the
-- turns as the statement left them. It runs once for all events of a statement.
--
-- A tenant without endpoints, and a turn without a URL and push configurations, cost three index look-ups. A disabled
-- endpoint gets its events as dead letters, which can be redelivered once it works again. Of a batch's turns,
-- endpoints are told only that one requires an action: the batch tells of the others at its end. An endpoint in OpenAI's
-- format is told of an action only where outputs of the client's functions are waited for: OpenAI has no other.
CREATE OR REPLACE FUNCTION turnpike_deliver_turn_events() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    target record;
    body jsonb;
    of_event text;
BEGIN
    FOR target IN
        SELECT event.id, event.turn_id, event.sequence_number, event.tenant_id, event.type,
               endpoint.id AS endpoint_id, NULL::text AS url, endpoint.id AS lane,
               CASE WHEN endpoint.enabled THEN 'pending' ELSE 'dead' END AS status, NULL::text AS push_config_id
        FROM inserted AS event JOIN webhook_endpoints AS endpoint
          ON endpoint.tenant_id = event.tenant_id AND endpoint.deleted_at IS NULL AND event.type = ANY (endpoint.events)
        WHERE event.type IN ('turn.queued', 'turn.started', 'turn.requires_action', 'turn.completed', 'turn.failed',
                             'turn.cancelled', 'turn.incomplete')
          AND (event.type = 'turn.requires_action' OR NOT EXISTS (
                SELECT 1 FROM turns WHERE turns.id = event.turn_id AND turns.batch_id IS NOT NULL))
          AND (event.type <> 'turn.requires_action' OR endpoint.format <> 'openai' OR EXISTS (
                SELECT 1 FROM tool_calls WHERE tool_calls.turn_id = event.turn_id AND tool_calls.awaiting = 'output'))
        UNION ALL
        -- Webhook URLs of turns at one origin share a concurrency limit and a circuit breaker.
        SELECT event.id, event.turn_id, event.sequence_number, event.tenant_id, event.type,
               NULL, turns.webhook_url,
               turns.tenant_id || ' ' || substring(turns.webhook_url FROM '^[a-z]+://[^/?#]+'), 'pending', NULL
        FROM inserted AS event JOIN turns ON turns.id = event.turn_id AND turns.webhook_url IS NOT NULL
        WHERE event.type IN ('turn.requires_action', 'turn.completed', 'turn.failed', 'turn.cancelled',
                             'turn.incomplete')
        UNION ALL
        SELECT event.id, event.turn_id, event.sequence_number, event.tenant_id, event.type,
               NULL, config.url, config.tenant_id || ' ' || substring(config.url FROM '^[a-z]+://[^/?#]+'), 'pending',
               config.id
        FROM inserted AS event JOIN push_configs AS config ON config.turn_id = event.turn_id
        WHERE event.type IN ('turn.queued', 'turn.started', 'turn.requires_action', 'turn.completed', 'turn.failed',
                             'turn.cancelled', 'turn.incomplete')
        ORDER BY 1
    LOOP
        IF of_event IS DISTINCT FROM target.id THEN
            of_event := target.id;
            body := turnpike_turn_snapshot(target.turn_id)
                    || jsonb_build_object('sequence_number', target.sequence_number);
        END IF;
        INSERT INTO deliveries (id, tenant_id, endpoint_id, url, lane, event_id, type, turn_id, payload, status,
                                push_config_id)
        VALUES (turnpike_new_id('dlv'), target.tenant_id, target.endpoint_id, target.url, target.lane, target.id,
                target.type, target.turn_id, body, target.status, target.push_config_id);
    END LOOP;
    RETURN NULL;
END;
$$;
