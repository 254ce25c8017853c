-- AlterTable
ALTER TABLE "turns" ADD COLUMN "pending_inputs" JSONB NOT NULL DEFAULT '[]',
    ADD COLUMN "rolled_back" BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN "action_expires_at" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "tool_calls" ADD COLUMN "on_unknown" TEXT NOT NULL DEFAULT 'tell_model',
    ADD COLUMN "awaiting" TEXT;

-- CreateTable
CREATE TABLE "summaries" (
    "session_id" TEXT NOT NULL,
    "through_sequence" INTEGER NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "turn_id" TEXT NOT NULL,
    "step_index" INTEGER NOT NULL,
    "content" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "summaries_pkey" PRIMARY KEY ("session_id","through_sequence")
);

-- CreateTable
CREATE TABLE "tools" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "config" JSONB NOT NULL,
    "signing_envelope" TEXT NOT NULL,
    "signing_version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "tools_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "data_keys" (
    "id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "wrapped" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "data_keys_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "secrets" (
    "tenant_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "version" INTEGER NOT NULL DEFAULT 1,
    "envelope" TEXT NOT NULL,
    "last_four" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "secrets_pkey" PRIMARY KEY ("tenant_id","name")
);

-- CreateTable
CREATE TABLE "memory_files" (
    "tenant_id" TEXT NOT NULL,
    "namespace" TEXT NOT NULL,
    "path" TEXT NOT NULL,
    "content" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "memory_files_pkey" PRIMARY KEY ("tenant_id","namespace","path")
);

-- CreateTable
CREATE TABLE "memory_calls" (
    "tool_call_id" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "output" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "memory_calls_pkey" PRIMARY KEY ("tool_call_id")
);

-- CreateIndex
CREATE INDEX "tools_tenant_id_id_idx" ON "tools"("tenant_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "tools_tenant_id_name_key" ON "tools"("tenant_id", "name");

-- CreateIndex
CREATE INDEX "data_keys_tenant_id_id_idx" ON "data_keys"("tenant_id", "id");

-- AddForeignKey
ALTER TABLE "summaries" ADD CONSTRAINT "summaries_session_id_fkey" FOREIGN KEY ("session_id") REFERENCES "sessions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "tools" ADD CONSTRAINT "tools_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "data_keys" ADD CONSTRAINT "data_keys_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "secrets" ADD CONSTRAINT "secrets_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "memory_files" ADD CONSTRAINT "memory_files_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "memory_calls" ADD CONSTRAINT "memory_calls_tool_call_id_fkey" FOREIGN KEY ("tool_call_id") REFERENCES "tool_calls"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- What Prisma's schema cannot say ------------------------------------------------------------

ALTER TABLE "steps" DROP CONSTRAINT "steps_type_check";
ALTER TABLE "steps" ADD CONSTRAINT "steps_type_check" CHECK ("type" IN ('model_call', 'tool_calls', 'compaction'));

ALTER TABLE "tool_calls" ADD CONSTRAINT "tool_calls_on_unknown_check" CHECK
    ("on_unknown" IN ('tell_model', 'ask', 'fail'));
-- A call that waits for somebody outside is not on its way, and has no output.
ALTER TABLE "tool_calls" ADD CONSTRAINT "tool_calls_awaiting_check" CHECK
    ("awaiting" IS NULL
     OR ("awaiting" IN ('approval', 'output') AND "status" = 'pending' AND "output" IS NULL)
     OR ("awaiting" = 'outcome' AND "status" = 'unknown' AND "output" IS NULL));

-- Who waits for somebody outside waits until a moment, and nobody else does.
ALTER TABLE "turns" ADD CONSTRAINT "turns_action_check" CHECK
    (("action_expires_at" IS NOT NULL) = ("status" = 'requires_action'));

ALTER TABLE "turns" ADD CONSTRAINT "turns_pending_inputs_check" CHECK (jsonb_typeof("pending_inputs") = 'array');

-- Actions that nobody took, soonest end first.
CREATE INDEX "turns_action_expiring" ON "turns"("action_expires_at") WHERE "status" = 'requires_action';

-- Deadlines of turns that no worker holds, soonest first.
CREATE INDEX "turns_deadline" ON "turns"("deadline_at") WHERE "status" IN ('queued', 'requires_action');

-- Turns that later ones are not to be shown.
CREATE INDEX "turns_rolled_back" ON "turns"("session_id", "sequence") WHERE "rolled_back";

-- Ends a turn that no worker holds.
--
-- Invariant: the caller has the turn's row locked and its status is not final. Afterwards the
-- conversation is valid: a round of tool calls that was open is closed by a message in which every
-- call has an answer, the recorded one where there is one; and what joined the turn stands after it.
--
-- otherwise: what is said of a call that was never sent.
-- unknown: what is said of a call that may have left and must not be repeated.
CREATE FUNCTION "turnpike_close_turn"(
    closing_turn text, final_status text, final_stop_reason text, final_error jsonb,
    step_id text, message_id text, event_ids text[], otherwise text, unknown text
) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    turn turns%ROWTYPE;
    has_round boolean;
    round integer;
BEGIN
    SELECT * INTO STRICT turn FROM turns WHERE id = closing_turn;
    SELECT EXISTS (
        SELECT 1 FROM tool_calls WHERE turn_id = closing_turn AND step_index = turn.step_count - 1
    ) INTO has_round;
    round := has_round::integer;

    IF has_round THEN
        UPDATE tool_calls
        SET output = jsonb_build_array(jsonb_build_object('type', 'text', 'text', CASE
                WHEN status = 'unknown' OR (status = 'started' AND effect IN ('once', 'reconcile')) THEN unknown
                ELSE otherwise END)),
            status = CASE
                WHEN status = 'unknown' OR (status = 'started' AND effect IN ('once', 'reconcile')) THEN 'unknown'
                ELSE 'completed' END,
            awaiting = NULL, is_error = true, completed_at = now()
        WHERE turn_id = closing_turn AND step_index = turn.step_count - 1 AND output IS NULL;

        INSERT INTO steps (turn_id, index, id, tenant_id, type, input_tokens, output_tokens,
                           cache_creation_input_tokens, cache_read_input_tokens, attempts, epoch, started_at)
        VALUES (closing_turn, turn.step_count, step_id, turn.tenant_id, 'tool_calls', 0, 0, 0, 0, 1, turn.epoch, now());

        INSERT INTO messages (turn_id, index, id, tenant_id, session_id, turn_sequence, step_index, role, content)
        SELECT closing_turn, turn.message_count, message_id, turn.tenant_id, turn.session_id, turn.sequence,
               turn.step_count, 'user',
               jsonb_agg(jsonb_build_object('type', 'tool_result', 'tool_use_id', tool_use_id,
                                            'content', output, 'is_error', is_error) ORDER BY position)
        FROM tool_calls WHERE turn_id = closing_turn AND step_index = turn.step_count - 1;

        INSERT INTO events (turn_id, sequence_number, id, tenant_id, type, payload)
        VALUES (closing_turn, turn.event_count + 1, event_ids[1], turn.tenant_id, 'step.completed',
                jsonb_build_object('index', turn.step_count, 'step_id', step_id, 'type', 'tool_calls', 'stop_reason', NULL));
    END IF;

    INSERT INTO messages (turn_id, index, id, tenant_id, session_id, turn_sequence, role, content)
    SELECT closing_turn, turn.message_count + round + entry.place - 1, entry.value ->> 'id', turn.tenant_id,
           turn.session_id, turn.sequence, 'user', entry.value -> 'content'
    FROM jsonb_array_elements(turn.pending_inputs) WITH ORDINALITY AS entry(value, place);

    UPDATE turns
    SET status = final_status, stop_reason = final_stop_reason, error = final_error, finished_at = now(),
        leased_until = NULL, dispatched_at = NULL, action_expires_at = NULL, pending_inputs = '[]',
        step_count = turn.step_count + round, event_count = turn.event_count + round + 1,
        message_count = turn.message_count + round + jsonb_array_length(turn.pending_inputs)
    WHERE id = closing_turn;

    UPDATE sessions SET open_turns = open_turns - 1 WHERE id = turn.session_id;

    INSERT INTO events (turn_id, sequence_number, id, tenant_id, type, payload)
    VALUES (closing_turn, turn.event_count + round + 1, event_ids[2], turn.tenant_id, 'turn.' || final_status, '{}');
END;
$$;

-- As before, but the limit is certain.
CREATE OR REPLACE FUNCTION "turnpike_dispatch"(finished_sessions text[], touched_tenants text[])
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
            -- MATERIALIZED: planned into a loop, the limit would hold for each look, and not for all.
            WITH picked AS MATERIALIZED (
                SELECT waiting.id FROM turns AS waiting
                WHERE waiting.tenant_id = tenant.id AND waiting.status = 'queued'
                  AND waiting.ready_at IS NOT NULL AND waiting.dispatched_at IS NULL
                  AND waiting.available_at <= clock_timestamp()
                ORDER BY waiting.ready_at
                LIMIT places
                FOR UPDATE SKIP LOCKED
            )
            UPDATE turns
            SET dispatched_at = clock_timestamp(), hinted_at = clock_timestamp(), hint = turns.hint + 1
            FROM picked WHERE turns.id = picked.id
            RETURNING turns.id, turns.epoch, turns.hint;
        END IF;
    END LOOP;
END;
$$;
