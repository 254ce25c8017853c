-- AlterTable
ALTER TABLE "turns" ADD COLUMN "webhook_url" TEXT;

-- CreateTable
CREATE TABLE "webhook_endpoints" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "url" TEXT NOT NULL,
    "description" TEXT NOT NULL DEFAULT '',
    "events" TEXT[],
    "enabled" BOOLEAN NOT NULL DEFAULT true,
    "disabled_reason" TEXT,
    "disabled_at" TIMESTAMPTZ(3),
    "failing_since" TIMESTAMPTZ(3),
    "failures" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "webhook_endpoints_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "webhook_secrets" (
    "owner" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "envelope" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3),

    CONSTRAINT "webhook_secrets_pkey" PRIMARY KEY ("owner","version")
);

-- CreateTable
CREATE TABLE "tenant_events" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "payload" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "tenant_events_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "deliveries" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "endpoint_id" TEXT,
    "url" TEXT,
    "lane" TEXT NOT NULL,
    "event_id" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "turn_id" TEXT,
    "payload" JSONB NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'pending',
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "tries" INTEGER NOT NULL DEFAULT 0,
    "begun_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "next_attempt_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "hint" INTEGER NOT NULL DEFAULT 0,
    "hinted_at" TIMESTAMPTZ(3),
    "claim" INTEGER NOT NULL DEFAULT 0,
    "claimed_until" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "delivered_at" TIMESTAMPTZ(3),

    CONSTRAINT "deliveries_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "delivery_attempts" (
    "delivery_id" TEXT NOT NULL,
    "number" INTEGER NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL,
    "duration_ms" INTEGER NOT NULL,
    "response_status" INTEGER,
    "response_body" TEXT,
    "error_code" TEXT,

    CONSTRAINT "delivery_attempts_pkey" PRIMARY KEY ("delivery_id","number")
);

-- CreateIndex
CREATE INDEX "webhook_endpoints_tenant_id_id_idx" ON "webhook_endpoints"("tenant_id", "id");

-- CreateIndex
CREATE INDEX "webhook_secrets_tenant_id_idx" ON "webhook_secrets"("tenant_id");

-- CreateIndex
CREATE INDEX "tenant_events_tenant_id_id_idx" ON "tenant_events"("tenant_id", "id");

-- CreateIndex
CREATE INDEX "tenant_events_created_at_idx" ON "tenant_events"("created_at");

-- CreateIndex
CREATE INDEX "deliveries_tenant_id_id_idx" ON "deliveries"("tenant_id", "id");

-- CreateIndex
CREATE INDEX "deliveries_endpoint_id_id_idx" ON "deliveries"("endpoint_id", "id");

-- CreateIndex
CREATE INDEX "deliveries_turn_id_idx" ON "deliveries"("turn_id");

-- AddForeignKey
ALTER TABLE "webhook_endpoints" ADD CONSTRAINT "webhook_endpoints_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "webhook_secrets" ADD CONSTRAINT "webhook_secrets_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "tenant_events" ADD CONSTRAINT "tenant_events_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_turn_id_fkey" FOREIGN KEY ("turn_id") REFERENCES "turns"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "delivery_attempts" ADD CONSTRAINT "delivery_attempts_delivery_id_fkey" FOREIGN KEY ("delivery_id") REFERENCES "deliveries"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- What Prisma's schema cannot say ------------------------------------------------------------

-- The reasons for which the service itself disables are `gone` and `failing`.
ALTER TABLE "webhook_endpoints" ADD CONSTRAINT "webhook_endpoints_disabled_check" CHECK
    ("enabled" = ("disabled_at" IS NULL) AND "enabled" = ("disabled_reason" IS NULL)
     AND ("disabled_reason" IS NULL OR "disabled_reason" IN ('requested', 'gone', 'failing', 'deleted')));

-- Not tried yet; tried, and to be tried again; done; not to be tried again.
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_status_check" CHECK
    ("status" IN ('pending', 'failed', 'delivered', 'dead'));
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_target_check" CHECK (("endpoint_id" IS NULL) <> ("url" IS NULL));
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_delivered_check" CHECK
    (("status" = 'delivered') = ("delivered_at" IS NOT NULL));

-- What may be hinted, lane by lane, each in the order in which it is due.
CREATE INDEX "deliveries_due" ON "deliveries"("lane", "next_attempt_at")
    WHERE "status" IN ('pending', 'failed') AND "hinted_at" IS NULL;

-- What a lane has in the queue or on its way: its window.
CREATE INDEX "deliveries_in_window" ON "deliveries"("lane")
    WHERE "status" IN ('pending', 'failed') AND "hinted_at" IS NOT NULL;

-- Hints that nobody has taken up, longest unchecked first.
CREATE INDEX "deliveries_hinted" ON "deliveries"("hinted_at")
    WHERE "status" IN ('pending', 'failed') AND "hinted_at" IS NOT NULL;

-- How much waits, and since when: for metrics.
CREATE INDEX "deliveries_waiting" ON "deliveries"("next_attempt_at") WHERE "status" IN ('pending', 'failed');

-- What is over, oldest first: for retention.
CREATE INDEX "deliveries_over" ON "deliveries"("status", "created_at") WHERE "status" IN ('delivered', 'dead');

-- Endpoints whose waiting deliveries are to be given up, or that are to be forgotten.
CREATE INDEX "webhook_endpoints_disabled" ON "webhook_endpoints"("id") WHERE NOT "enabled";

-- A new id, as packages/contract makes them: a UUIDv7 (RFC 9562) in Crockford base32 behind its prefix.
CREATE FUNCTION "turnpike_new_id"(prefix text) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    milliseconds bigint := floor(extract(epoch FROM clock_timestamp()) * 1000);
    random text := replace(gen_random_uuid()::text, '-', '');
    -- 48 bits of time, then the version, 12 random bits, the variant, and the random rest.
    hex text := lpad(to_hex(milliseconds), 12, '0') || '7' || substr(random, 14, 19);
    bits bit(130) := B'00' || ('x' || hex)::bit(128);
    digits text := '';
BEGIN
    FOR place IN 0..25 LOOP
        digits := digits || substr('0123456789abcdefghjkmnpqrstvwxyz',
                                   substring(bits FROM place * 5 + 1 FOR 5)::bit(5)::integer + 1, 1);
    END LOOP;
    RETURN prefix || '_' || digits;
END;
$$;

-- The turn as it is now, for the body of a webhook: its row, whatever columns that has, and what it waits for.
-- A long answer is left out here already, so that a delivery stays small; `truncated` says so.
CREATE FUNCTION "turnpike_turn_snapshot"(wanted_turn text) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
    most constant integer := 20000;
    turn jsonb;
    actions jsonb;
    truncated boolean := false;
BEGIN
    SELECT to_jsonb(turns) - ARRAY['pending_inputs', 'webhook_url', 'worker_id'],
        CASE WHEN turns.status = 'requires_action' THEN (
            SELECT jsonb_agg(jsonb_build_object('id', tool_calls.id, 'tool_use_id', tool_calls.tool_use_id,
                                                'name', tool_calls.name, 'input', tool_calls.input,
                                                'awaiting', tool_calls.awaiting) ORDER BY tool_calls.position)
            FROM tool_calls WHERE tool_calls.turn_id = turns.id AND tool_calls.awaiting IS NOT NULL) END
    INTO STRICT turn, actions FROM turns WHERE turns.id = wanted_turn;
    IF octet_length((turn -> 'output')::text) > most THEN
        turn := turn || '{"output": null}';
        truncated := true;
    END IF;
    IF octet_length(actions::text) > most THEN
        SELECT jsonb_agg(action.value || '{"input": null}' ORDER BY action.place) INTO actions
        FROM jsonb_array_elements(actions) WITH ORDINALITY AS action(value, place);
        truncated := true;
    END IF;
    RETURN jsonb_build_object('turn', turn, 'actions', actions, 'truncated', truncated);
END;
$$;

-- Deliveries have no foreign key to their endpoint: it would lock the endpoint's row for every event, and an
-- endpoint is only marked as deleted while it has any.

-- The outbox: deliveries of a turn's event are made where the event is.
--
-- Invariant: an event and its deliveries are committed together or not at all, whatever statement
-- wrote the event. It is a trigger, since events are written by many statements and by functions;
-- it runs after the whole statement, and so sees the turn as that left it.
--
-- A tenant without endpoints, and a turn without a URL, pay for two look-ups by index. An endpoint
-- that is disabled gets its events as dead letters, which can be redelivered once it works again.
CREATE FUNCTION "turnpike_deliver_turn_event"() RETURNS trigger
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
        -- The URLs of turns at one origin share its room and its breaker.
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

CREATE TRIGGER "events_deliver" AFTER INSERT ON "events" FOR EACH ROW
    WHEN (NEW.type IN ('turn.queued', 'turn.started', 'turn.requires_action', 'turn.completed', 'turn.failed',
                       'turn.cancelled', 'turn.incomplete'))
    EXECUTE FUNCTION "turnpike_deliver_turn_event"();

-- Announces something that is not a turn's: an event of the tenant, with its deliveries.
--
-- Invariant: as above, the two are committed together, with whatever else the caller's transaction does.
--
-- event_payload: an object, the body's `data`; small, since the body must stay under 20 kB.
-- only_endpoint: for an event that is meant for one endpoint, whatever it subscribed to.
CREATE FUNCTION "turnpike_announce"(
    tenant text, event_id text, event_type text, event_payload jsonb, only_endpoint text DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    INSERT INTO tenant_events (id, tenant_id, type, payload) VALUES (event_id, tenant, event_type, event_payload);
    INSERT INTO deliveries (id, tenant_id, endpoint_id, lane, event_id, type, payload, status)
    SELECT turnpike_new_id('dlv'), tenant, endpoint.id, endpoint.id, event_id, event_type, event_payload,
           CASE WHEN endpoint.enabled THEN 'pending' ELSE 'dead' END
    FROM webhook_endpoints AS endpoint
    WHERE endpoint.tenant_id = tenant AND endpoint.deleted_at IS NULL
      AND (endpoint.id = only_endpoint OR (only_endpoint IS NULL AND event_type = ANY (endpoint.events)));
END;
$$;

-- Notes how an attempt at an endpoint ended, and disables one that is gone, or that only failed for too long.
--
-- limit_ms, least_failures: how long, and how often, it must have failed without a success between.
CREATE FUNCTION "turnpike_note_outcome"(
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
