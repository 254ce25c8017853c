-- Turns that were submitted together: the batch, and a row for each line until the batch is deleted.
CREATE TABLE "turn_batches" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'receiving',
    "defaults" JSONB NOT NULL DEFAULT '{}',
    "metadata" JSONB NOT NULL DEFAULT '{}',
    "line_count" INTEGER NOT NULL DEFAULT 0,
    "next_line" INTEGER NOT NULL DEFAULT 0,
    "completed" INTEGER NOT NULL DEFAULT 0,
    "failed" INTEGER NOT NULL DEFAULT 0,
    "incomplete" INTEGER NOT NULL DEFAULT 0,
    "cancelled" INTEGER NOT NULL DEFAULT 0,
    "refused" INTEGER NOT NULL DEFAULT 0,
    "waiting_for" TEXT,
    "fed_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "turn_batches_pkey" PRIMARY KEY ("id")
);

CREATE INDEX "turn_batches_tenant_id_id_idx" ON "turn_batches"("tenant_id", "id");
-- What a pass looks for: few rows, however many batches have ended.
CREATE INDEX "turn_batches_open_idx" ON "turn_batches"("tenant_id")
    WHERE status IN ('in_progress', 'paused', 'cancelling');
CREATE INDEX "turn_batches_removed_idx" ON "turn_batches"("fed_at") WHERE status IN ('receiving', 'deleting');
ALTER TABLE "turn_batches" ADD CONSTRAINT "turn_batches_tenant_id_fkey"
    FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

CREATE TABLE "batch_lines" (
    "batch_id" TEXT NOT NULL,
    "index" INTEGER NOT NULL,
    "custom_id" TEXT NOT NULL,
    "request" TEXT,
    "turn_id" TEXT,
    "status" TEXT NOT NULL DEFAULT 'pending',
    "error" JSONB,

    CONSTRAINT "batch_lines_pkey" PRIMARY KEY ("batch_id", "index")
);

CREATE UNIQUE INDEX "batch_lines_batch_id_custom_id_key" ON "batch_lines"("batch_id", "custom_id");
CREATE INDEX "batch_lines_open_idx" ON "batch_lines"("batch_id", "index") WHERE status = 'open';
ALTER TABLE "batch_lines" ADD CONSTRAINT "batch_lines_batch_id_fkey"
    FOREIGN KEY ("batch_id") REFERENCES "turn_batches"("id") ON DELETE CASCADE ON UPDATE CASCADE;

ALTER TABLE "turns" ADD COLUMN "batch_id" TEXT;

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
          AND (event.type = 'turn.requires_action' OR NOT EXISTS (
                SELECT 1 FROM turns WHERE turns.id = event.turn_id AND turns.batch_id IS NOT NULL))
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
