-- Ends a turn that no worker holds.
--
-- Invariant: the caller has locked the turn's row, and its status is not final. Afterwards the conversation is valid:
-- an open round of tool calls is closed by a message with a result for every call (the recorded result where there is
-- one), and input that joined the turn follows that message.
--
-- otherwise: the tool result for a call that was never sent.
-- unknown: the tool result for a call that may have been sent and must not be repeated.
CREATE OR REPLACE FUNCTION turnpike_close_turn(
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
