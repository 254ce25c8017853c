-- Turns that may run are dispatched by the statement that stores them; the deliveries of a statement's events are made
-- by one call.

CREATE OR REPLACE FUNCTION turnpike_take_slots(of_tenant text, wanted integer, OUT free integer, OUT queue text)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    key bigint := hashtextextended('turnpike.dispatch ' || of_tenant, 0);
    live record;
    others integer;
    tries integer := 0;
BEGIN
    free := 0;
    SELECT count(DISTINCT workers.queue) AS queues, min(workers.queue) AS queue, min(workers.pool) AS pool,
        min(workers.code_tools) AS code_tools, greatest(8, coalesce(sum(workers.concurrency), 64) / 4.0) AS share
    INTO live FROM workers WHERE workers.seen_at > now() - interval '30 seconds';
    IF live.queues > 1 OR live.pool <> 'default' THEN
        RETURN;
    END IF;
    SELECT count(*) INTO others FROM (
        SELECT 1 FROM turns AS waiting
        WHERE waiting.tenant_id = of_tenant AND waiting.status = 'queued' AND waiting.ready_at IS NOT NULL
          AND waiting.dispatched_at IS NULL AND waiting.available_at IS NULL
          AND waiting.pool = 'default' AND waiting.code_tools <@ coalesce(live.code_tools, '{}')
        LIMIT 65
    ) AS found;
    IF others > 64 THEN
        RETURN;
    END IF;
    WHILE NOT pg_try_advisory_xact_lock(key) LOOP
        tries := tries + 1;
        IF tries > 8 THEN
            RETURN;
        END IF;
        PERFORM pg_sleep(0.00025);
    END LOOP;
    SELECT greatest(0, least(wanted, least(
               tenants.max_running_turns - held.turns,
               greatest(1, round(tenants.weight * live.share)) - held.unclaimed
           ) - others)),
           coalesce(live.queue, 'turns')
    INTO free, queue
    FROM tenants, (
        SELECT count(*) AS turns, count(*) FILTER (WHERE turns.status = 'queued') AS unclaimed
        FROM turns WHERE turns.tenant_id = of_tenant AND turns.dispatched_at IS NOT NULL
    ) AS held
    WHERE tenants.id = of_tenant;
END;
$$;

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
               CASE WHEN endpoint.enabled THEN 'pending' ELSE 'dead' END AS status
        FROM inserted AS event JOIN webhook_endpoints AS endpoint
          ON endpoint.tenant_id = event.tenant_id AND endpoint.deleted_at IS NULL AND event.type = ANY (endpoint.events)
        WHERE event.type IN ('turn.queued', 'turn.started', 'turn.requires_action', 'turn.completed', 'turn.failed',
                             'turn.cancelled', 'turn.incomplete')
        UNION ALL
        -- Webhook URLs of turns at one origin share a concurrency limit and a circuit breaker.
        SELECT event.id, event.turn_id, event.sequence_number, event.tenant_id, event.type,
               NULL, turns.webhook_url,
               turns.tenant_id || ' ' || substring(turns.webhook_url FROM '^[a-z]+://[^/?#]+'), 'pending'
        FROM inserted AS event JOIN turns ON turns.id = event.turn_id AND turns.webhook_url IS NOT NULL
        WHERE event.type IN ('turn.requires_action', 'turn.completed', 'turn.failed', 'turn.cancelled',
                             'turn.incomplete')
        ORDER BY 1
    LOOP
        IF of_event IS DISTINCT FROM target.id THEN
            of_event := target.id;
            body := turnpike_turn_snapshot(target.turn_id)
                    || jsonb_build_object('sequence_number', target.sequence_number);
        END IF;
        INSERT INTO deliveries (id, tenant_id, endpoint_id, url, lane, event_id, type, turn_id, payload, status)
        VALUES (turnpike_new_id('dlv'), target.tenant_id, target.endpoint_id, target.url, target.lane, target.id,
                target.type, target.turn_id, body, target.status);
    END LOOP;
    RETURN NULL;
END;
$$;

DROP TRIGGER "events_deliver" ON "events";
CREATE TRIGGER "events_deliver" AFTER INSERT ON "events"
  REFERENCING NEW TABLE AS inserted
  FOR EACH STATEMENT EXECUTE FUNCTION turnpike_deliver_turn_events();
DROP FUNCTION turnpike_deliver_turn_event();
