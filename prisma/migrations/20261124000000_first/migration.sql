-- CreateTable
CREATE TABLE "tenants" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "max_running_turns" INTEGER NOT NULL DEFAULT 1000,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "tenants_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "api_keys" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "hash" BYTEA NOT NULL,
    "last_four" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_keys_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "agents" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "version" INTEGER NOT NULL DEFAULT 1,
    "metadata" JSONB NOT NULL DEFAULT '{}',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "agents_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "agent_versions" (
    "agent_id" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "config" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "agent_versions_pkey" PRIMARY KEY ("agent_id","version")
);

-- CreateTable
CREATE TABLE "sessions" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "agent_id" TEXT NOT NULL,
    "metadata" JSONB NOT NULL DEFAULT '{}',
    "last_sequence" INTEGER NOT NULL DEFAULT 0,
    "open_turns" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "sessions_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "turns" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "session_id" TEXT NOT NULL,
    "sequence" INTEGER NOT NULL,
    "agent_id" TEXT NOT NULL,
    "agent_version" INTEGER NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'queued',
    "stop_reason" TEXT,
    "output" JSONB,
    "error" JSONB,
    "metadata" JSONB NOT NULL DEFAULT '{}',
    "input_tokens" INTEGER NOT NULL DEFAULT 0,
    "output_tokens" INTEGER NOT NULL DEFAULT 0,
    "cache_creation_input_tokens" INTEGER NOT NULL DEFAULT 0,
    "cache_read_input_tokens" INTEGER NOT NULL DEFAULT 0,
    "step_count" INTEGER NOT NULL DEFAULT 0,
    "message_count" INTEGER NOT NULL DEFAULT 0,
    "event_count" INTEGER NOT NULL DEFAULT 0,
    "epoch" INTEGER NOT NULL DEFAULT 0,
    "leased_until" TIMESTAMPTZ(3),
    "worker_id" TEXT,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "lost_leases" INTEGER NOT NULL DEFAULT 0,
    "model_attempts" INTEGER NOT NULL DEFAULT 0,
    "ready_at" TIMESTAMPTZ(3),
    "available_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "dispatched_at" TIMESTAMPTZ(3),
    "hint" INTEGER NOT NULL DEFAULT 0,
    "hinted_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "started_at" TIMESTAMPTZ(3),
    "finished_at" TIMESTAMPTZ(3),
    "deadline_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "turns_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "steps" (
    "turn_id" TEXT NOT NULL,
    "index" INTEGER NOT NULL,
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "model" TEXT,
    "stop_reason" TEXT,
    "input_tokens" INTEGER NOT NULL,
    "output_tokens" INTEGER NOT NULL,
    "cache_creation_input_tokens" INTEGER NOT NULL,
    "cache_read_input_tokens" INTEGER NOT NULL,
    "attempts" INTEGER NOT NULL,
    "provider_request_id" TEXT,
    "epoch" INTEGER NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL,
    "completed_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "steps_pkey" PRIMARY KEY ("turn_id","index")
);

-- CreateTable
CREATE TABLE "tool_calls" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "turn_id" TEXT NOT NULL,
    "step_index" INTEGER NOT NULL,
    "position" INTEGER NOT NULL,
    "tool_use_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "input" JSONB NOT NULL,
    "effect" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "output" JSONB,
    "is_error" BOOLEAN NOT NULL DEFAULT false,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "started_at" TIMESTAMPTZ(3),
    "completed_at" TIMESTAMPTZ(3),

    CONSTRAINT "tool_calls_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "messages" (
    "turn_id" TEXT NOT NULL,
    "index" INTEGER NOT NULL,
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "session_id" TEXT NOT NULL,
    "turn_sequence" INTEGER NOT NULL,
    "step_index" INTEGER,
    "role" TEXT NOT NULL,
    "content" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "messages_pkey" PRIMARY KEY ("turn_id","index")
);

-- CreateTable
CREATE TABLE "events" (
    "turn_id" TEXT NOT NULL,
    "sequence_number" INTEGER NOT NULL,
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "payload" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "events_pkey" PRIMARY KEY ("turn_id","sequence_number")
);

-- CreateTable
CREATE TABLE "idempotency_records" (
    "tenant_id" TEXT NOT NULL,
    "route" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "fingerprint" BYTEA NOT NULL,
    "status" INTEGER NOT NULL,
    "headers" JSONB NOT NULL,
    "body" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "idempotency_records_pkey" PRIMARY KEY ("tenant_id","route","key")
);

-- CreateIndex
CREATE UNIQUE INDEX "api_keys_hash_key" ON "api_keys"("hash");

-- CreateIndex
CREATE INDEX "api_keys_tenant_id_id_idx" ON "api_keys"("tenant_id", "id");

-- CreateIndex
CREATE INDEX "agents_tenant_id_id_idx" ON "agents"("tenant_id", "id");

-- CreateIndex
CREATE INDEX "sessions_tenant_id_id_idx" ON "sessions"("tenant_id", "id");

-- CreateIndex
CREATE INDEX "turns_tenant_id_id_idx" ON "turns"("tenant_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "turns_session_id_sequence_key" ON "turns"("session_id", "sequence");

-- CreateIndex
CREATE UNIQUE INDEX "tool_calls_turn_id_step_index_position_key" ON "tool_calls"("turn_id", "step_index", "position");

-- CreateIndex
CREATE UNIQUE INDEX "messages_session_id_turn_sequence_index_key" ON "messages"("session_id", "turn_sequence", "index");

-- CreateIndex
CREATE INDEX "idempotency_records_expires_at_idx" ON "idempotency_records"("expires_at");

-- AddForeignKey
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "agent_versions" ADD CONSTRAINT "agent_versions_agent_id_fkey" FOREIGN KEY ("agent_id") REFERENCES "agents"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "turns" ADD CONSTRAINT "turns_session_id_fkey" FOREIGN KEY ("session_id") REFERENCES "sessions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "steps" ADD CONSTRAINT "steps_turn_id_fkey" FOREIGN KEY ("turn_id") REFERENCES "turns"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "tool_calls" ADD CONSTRAINT "tool_calls_turn_id_fkey" FOREIGN KEY ("turn_id") REFERENCES "turns"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "messages" ADD CONSTRAINT "messages_turn_id_fkey" FOREIGN KEY ("turn_id") REFERENCES "turns"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "events" ADD CONSTRAINT "events_turn_id_fkey" FOREIGN KEY ("turn_id") REFERENCES "turns"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- What Prisma's schema cannot say ------------------------------------------------------------

-- The vocabulary. The order of moves between them is in packages/turns/src/transitions.ts.
ALTER TABLE "turns" ADD CONSTRAINT "turns_status_check" CHECK ("status" IN
    ('queued', 'in_progress', 'requires_action', 'cancelling', 'completed', 'failed', 'cancelled', 'incomplete'));

-- A lease belongs to a turn that somebody may be running, and to no other.
ALTER TABLE "turns" ADD CONSTRAINT "turns_lease_check" CHECK
    (("leased_until" IS NOT NULL) = ("status" IN ('in_progress', 'cancelling')));

-- An end has a time, and only an end has one.
ALTER TABLE "turns" ADD CONSTRAINT "turns_finished_check" CHECK
    (("finished_at" IS NOT NULL) = ("status" IN ('completed', 'failed', 'cancelled', 'incomplete')));

ALTER TABLE "sessions" ADD CONSTRAINT "sessions_open_turns_check" CHECK ("open_turns" >= 0);

ALTER TABLE "messages" ADD CONSTRAINT "messages_role_check" CHECK ("role" IN ('user', 'assistant'));

ALTER TABLE "steps" ADD CONSTRAINT "steps_type_check" CHECK ("type" IN ('model_call', 'tool_calls'));

ALTER TABLE "tool_calls" ADD CONSTRAINT "tool_calls_status_check" CHECK
    ("status" IN ('pending', 'started', 'completed', 'unknown'));
ALTER TABLE "tool_calls" ADD CONSTRAINT "tool_calls_effect_check" CHECK
    ("effect" IN ('read', 'idempotent', 'once', 'reconcile'));

-- Sessions are serial: whatever a process believes, two turns of one session never run at once.
CREATE UNIQUE INDEX "turns_one_running_per_session" ON "turns"("session_id")
    WHERE "status" IN ('in_progress', 'requires_action', 'cancelling');

-- The head of a session is found without reading the turns that have ended.
CREATE INDEX "turns_open" ON "turns"("session_id", "sequence")
    WHERE "status" IN ('queued', 'in_progress', 'requires_action', 'cancelling');

-- Waiting turns that no dispatch has promoted yet: what the reconciler walks.
CREATE INDEX "turns_unready" ON "turns"("session_id", "sequence")
    WHERE "status" = 'queued' AND "ready_at" IS NULL;

-- Heads that wait for a free place of their tenant, oldest first.
CREATE INDEX "turns_ready" ON "turns"("tenant_id", "ready_at")
    WHERE "status" = 'queued' AND "ready_at" IS NOT NULL AND "dispatched_at" IS NULL;

-- The places a tenant has in use.
CREATE INDEX "turns_dispatched" ON "turns"("tenant_id") WHERE "dispatched_at" IS NOT NULL;

-- Hints that no worker has taken up, longest unchecked first.
CREATE INDEX "turns_hinted" ON "turns"("hinted_at") WHERE "status" = 'queued' AND "dispatched_at" IS NOT NULL;

-- Leases, soonest end first.
CREATE INDEX "turns_leased" ON "turns"("leased_until") WHERE "leased_until" IS NOT NULL;

-- Dispatch: which turns may run.
--
-- Invariant: a turn is dispatched only while it is the head of its session, and a tenant
-- never has more turns dispatched than its cap, however many processes dispatch at once.
--
-- It is a function, and not one statement, because the count must be read after the lock is
-- held: inside a volatile function every statement sees what was committed before it began.
--
-- finished_sessions: sessions whose head may have changed.
-- touched_tenants: tenants that may have a turn to run or a place to give.
-- Returns the turns to hint, with the epoch that their claim must find.
CREATE FUNCTION "turnpike_dispatch"(finished_sessions text[], touched_tenants text[])
RETURNS TABLE (turn_id text, turn_epoch integer, turn_hint integer)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    tenant record;
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

    -- In one order everywhere, so that two dispatches never wait for each other in a circle.
    FOR tenant IN
        SELECT tenants.id, tenants.max_running_turns FROM tenants
        WHERE tenants.id = ANY (touched_tenants) ORDER BY tenants.id
    LOOP
        PERFORM pg_advisory_xact_lock(hashtextextended('turnpike.dispatch ' || tenant.id, 0));
        SELECT tenant.max_running_turns - count(*) INTO places
        FROM turns WHERE turns.tenant_id = tenant.id AND turns.dispatched_at IS NOT NULL;
        IF places > 0 THEN
            RETURN QUERY
            UPDATE turns
            SET dispatched_at = clock_timestamp(), hinted_at = clock_timestamp(), hint = turns.hint + 1
            WHERE turns.id IN (
                SELECT waiting.id FROM turns AS waiting
                WHERE waiting.tenant_id = tenant.id AND waiting.status = 'queued'
                  AND waiting.ready_at IS NOT NULL AND waiting.dispatched_at IS NULL
                  AND waiting.available_at <= clock_timestamp()
                ORDER BY waiting.ready_at
                LIMIT places
                FOR UPDATE SKIP LOCKED
            )
            RETURNING turns.id, turns.epoch, turns.hint;
        END IF;
    END LOOP;
END;
$$;
