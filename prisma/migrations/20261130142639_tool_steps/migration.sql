-- What tools in code commit while they run, and what they ask people.
CREATE TABLE "tool_steps" (
    "tool_call_id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "tenant_id" TEXT NOT NULL,
    "turn_id" TEXT NOT NULL,
    "effect" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "result" TEXT,
    "epoch" INTEGER NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "completed_at" TIMESTAMPTZ(3),

    CONSTRAINT "tool_steps_pkey" PRIMARY KEY ("tool_call_id", "kind", "name"),
    CONSTRAINT "tool_steps_kind_check" CHECK ("kind" IN ('step', 'answer')),
    CONSTRAINT "tool_steps_effect_check" CHECK ("effect" IN ('read', 'idempotent', 'once')),
    CONSTRAINT "tool_steps_status_check" CHECK ("status" IN ('started', 'completed', 'failed', 'undone'))
);

ALTER TABLE "tool_steps" ADD CONSTRAINT "tool_steps_tool_call_id_fkey"
    FOREIGN KEY ("tool_call_id") REFERENCES "tool_calls"("id") ON DELETE CASCADE ON UPDATE CASCADE;

ALTER TABLE "tool_calls" ADD COLUMN "question" JSONB;

-- Replaced rather than validated at once: no stored row can violate the wider rule.
ALTER TABLE "tool_calls" DROP CONSTRAINT "tool_calls_awaiting_check";
ALTER TABLE "tool_calls" ADD CONSTRAINT "tool_calls_awaiting_check" CHECK (
    "awaiting" IS NULL
    OR ("awaiting" IN ('approval', 'output', 'answer') AND "status" = 'pending' AND "output" IS NULL)
    OR ("awaiting" = 'outcome' AND "status" = 'unknown' AND "output" IS NULL)
) NOT VALID;
ALTER TABLE "tool_calls" VALIDATE CONSTRAINT "tool_calls_awaiting_check";

-- The turn as it is now, for a webhook's body: its row with every column, and the tool calls that it waits for.
--
-- Invariant: the result stays small. Long output and inputs are left out, and `truncated` says so.
CREATE OR REPLACE FUNCTION turnpike_turn_snapshot(wanted_turn text) RETURNS jsonb
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
                                                'awaiting', tool_calls.awaiting,
                                                'question', tool_calls.question) ORDER BY tool_calls.position)
            FROM tool_calls WHERE tool_calls.turn_id = turns.id AND tool_calls.awaiting IS NOT NULL) END
    INTO STRICT turn, actions FROM turns WHERE turns.id = wanted_turn;
    IF octet_length((turn -> 'output')::text) > most THEN
        turn := turn || '{"output": null}';
        truncated := true;
    END IF;
    IF octet_length(actions::text) > most THEN
        SELECT jsonb_agg(action.value || '{"input": null, "question": null}' ORDER BY action.place) INTO actions
        FROM jsonb_array_elements(actions) WITH ORDINALITY AS action(value, place);
        truncated := true;
    END IF;
    RETURN jsonb_build_object('turn', turn, 'actions', actions, 'truncated', truncated);
END;
$$;
