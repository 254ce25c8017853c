import { newId, type Advance } from '@turnpike/contract';
import { advanceTurn, cancelTurn, claimTurn, insertTurn, type Database } from '@turnpike/store';
import { modelStep } from '../../../../tests/support/model-step.ts';
import { newTurn } from '../../../../tests/support/new-turn.ts';
import { TRANSITIONS } from '../transitions.ts';

/** The state of a turn when two moves meet. `expired`: its lease has expired; `followed`: another turn waits behind it. */
export const STARTS = [
  'queued',
  'followed',
  'in_progress',
  'expired',
  'cancelling',
  'requires_action',
  'failed',
] as const;
export type Start = (typeof STARTS)[number];

/** A turn and its session, ready for two moves to meet on it. */
export interface Scene {
  tenantId: string;
  sessionId: string;
  turnId: string;
  epoch: number;
  eventCount: number;
  /** The call that a turn in `requires_action` waits for. */
  callId: string;
  /** The turn that waits behind it, where it is `followed`. */
  nextId: string | null;
}

const said = [{ type: 'text', text: 'Done.' }];

/** A model call that asks for a tool call which needs an approval. */
export const parking = (callId: string): Advance => ({
  step: { ...modelStep(), stopReason: 'tool_use' },
  messages: [{ role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_1', name: 'pay', input: {} }] }],
  requestedCalls: [
    {
      id: callId,
      toolUseId: 'toolu_1',
      name: 'pay',
      input: {},
      inputText: '{}',
      effect: 'once',
      onUnknown: 'ask',
      status: 'pending',
      awaiting: 'approval',
      question: null,
      output: null,
      isError: false,
      attempts: 0,
      steps: [],
    },
  ],
  action: { timeoutMs: 60_000 },
  events: [{ id: newId('event'), type: 'turn.requires_action', payload: {} }],
});

/** The turn's last write. */
export const ending = (status: 'completed' | 'failed'): Advance => ({
  ...(status === 'completed' && {
    step: modelStep(),
    messages: [{ role: 'assistant' as const, content: said }],
  }),
  events: [{ id: newId('event'), type: 'turn.completed', payload: {} }],
  outcome:
    status === 'completed'
      ? { status, stopReason: 'end_turn', output: said, error: null }
      : { status, stopReason: null, output: null, error: ERROR },
});

const ERROR = { code: 'model_error', message: 'No.', retry_status: 'exhausted' as const, request_id: null };

/** Stores a session with a turn in this state. Deadlines have passed where no worker holds the turn. */
export async function makeScene(
  { pool }: Database,
  start: Start,
  owner: { tenantId: string; agentId: string },
): Promise<Scene> {
  const { tenantId, agentId } = owner;
  const turn = { ...newTurn(tenantId), agentId, sessionMetadata: {} };
  await insertTurn(pool, turn);
  const { id: turnId, sessionId } = turn;
  const next = start === 'followed' ? { ...newTurn(tenantId, sessionId), onlyIfIdle: false } : null;
  if (next !== null) await insertTurn(pool, next);
  await pool.query(
    `UPDATE turns SET dispatched_at = CASE WHEN id = $2 THEN now() END, deadline_at = now() - interval '1 second'
     WHERE session_id = $1`,
    [sessionId, turnId],
  );
  const scene = { tenantId, sessionId, turnId, epoch: 0, eventCount: 1, callId: newId('toolCall') };
  const nextId = next?.id ?? null;
  if (start === 'queued' || start === 'followed') return { ...scene, nextId };

  const claim = { turnId, epoch: 0, from: TRANSITIONS.claim.from, workerId: 'w', leaseMs: 60_000 };
  const claimed = await claimTurn(pool, claim);
  if (claimed === null) throw new Error('The turn of a scene cannot be claimed.');
  const { epoch, eventCount } = claimed;
  const fence = { turnId, epoch, from: TRANSITIONS.advance.from, eventCount };
  if (start === 'expired') {
    await pool.query(`UPDATE turns SET leased_until = now() - interval '1 second' WHERE id = $1`, [turnId]);
  }
  if (start === 'cancelling') await cancelTurn(pool, tenantId, turnId, TRANSITIONS.cancel.from);
  if (start === 'failed') await advanceTurn(pool, fence, ending('failed'));
  if (start === 'requires_action') {
    await advanceTurn(pool, fence, parking(scene.callId));
    await pool.query(`UPDATE turns SET action_expires_at = now() - interval '1 second' WHERE id = $1`, [
      turnId,
    ]);
  }
  return { ...scene, epoch, eventCount, nextId };
}

/** The state that must equal that of one order of the moves, and the invariants that were violated. */
export async function readScene(
  { pool }: Database,
  { sessionId, turnId }: Scene,
): Promise<{ state: string; status: string; flaws: string[] }> {
  const { rows } = await pool.query<{ id: string; status: string; turn: unknown; flaws: string[] }>(
    `SELECT turns.id, turns.status, jsonb_build_object('status', turns.status, 'stop_reason', turns.stop_reason,
              'error', turns.error ->> 'code', 'rolled_back', turns.rolled_back, 'epoch', turns.epoch,
              'pending', jsonb_array_length(turns.pending_inputs), 'messages', turns.message_count,
              'events', turns.event_count, 'steps', turns.step_count, 'leased', turns.leased_until IS NOT NULL,
              'dispatched', turns.dispatched_at IS NOT NULL, 'ready', turns.ready_at IS NOT NULL,
              'attempts', turns.attempts, 'lost_leases', turns.lost_leases, 'sequence', turns.sequence,
              'calls', (SELECT jsonb_agg(jsonb_build_array(status, awaiting, is_error)) FROM tool_calls WHERE turn_id = turns.id),
              'last_sequence', sessions.last_sequence, 'open', sessions.open_turns) AS turn,
       array_remove(ARRAY[
         CASE WHEN turns.event_count <> (SELECT count(*) FROM events WHERE turn_id = turns.id) THEN 'events' END,
         CASE WHEN turns.message_count <> (SELECT count(*) FROM messages WHERE turn_id = turns.id) THEN 'messages' END,
         CASE WHEN turns.step_count <> (SELECT count(*) FROM steps WHERE turn_id = turns.id) THEN 'steps' END,
         CASE WHEN sessions.open_turns <> (SELECT count(*) FROM turns AS open WHERE open.session_id = sessions.id
                                             AND open.finished_at IS NULL) THEN 'open turns' END,
         CASE WHEN sessions.last_sequence <> (SELECT count(*) FROM turns AS each
                                              WHERE each.session_id = sessions.id) THEN 'sequence' END
       ], NULL) AS flaws
     FROM sessions JOIN turns ON turns.session_id = sessions.id WHERE sessions.id = $1 ORDER BY turns.sequence`,
    [sessionId],
  );
  return {
    state: JSON.stringify(rows.map(({ turn }) => turn)),
    status: rows.find(({ id }) => id === turnId)?.status ?? 'erased',
    flaws: rows.flatMap(({ flaws }) => flaws),
  };
}
