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
