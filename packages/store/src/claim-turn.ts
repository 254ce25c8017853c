import {
  agentConfigSchema,
  contentBlockSchema,
  effectSchema,
  newId,
  toolCallStatusSchema,
  turnStatusSchema,
} from '@turnpike/contract';
import type { ClaimedTurn, TurnStatus } from '@turnpike/contract';
import { z } from 'zod';
import { query, type Sql } from './sql.ts';

const messageSchema = z.object({ role: z.enum(['user', 'assistant']), content: z.array(contentBlockSchema) });

const claimedSchema = z.object({
  id: z.string(),
  tenantId: z.string(),
  sessionId: z.string(),
  agentId: z.string(),
  agentVersion: z.int(),
  epoch: z.int(),
  attempts: z.int(),
  status: turnStatusSchema,
  agent: agentConfigSchema,
  remainingMs: z.number(),
  stepCount: z.int(),
  modelAttempts: z.int(),
  eventCount: z.int(),
  modelCallCount: z.int(),
  lastStopReason: z.string().nullable(),
  history: z.array(messageSchema),
  messages: z.array(messageSchema),
  openToolCalls: z.array(
    z.object({
      id: z.string(),
      toolUseId: z.string(),
      name: z.string(),
      input: z.unknown(),
      effect: effectSchema,
      status: toolCallStatusSchema,
      output: z.array(contentBlockSchema).nullable(),
      isError: z.boolean(),
    }),
  ),
}) satisfies z.ZodType<ClaimedTurn>;

/*
 * Invariant: a claim succeeds at most once for an epoch. The epoch rises with it, so whoever
 * held the turn before can write nothing more. Time is the database's.
 *
 * The journal is read in the same statement. Its snapshot is sound: a turn that qualifies was
 * `queued` at this epoch in that snapshot, and nobody writes to the journal of a queued turn.
 */
const CLAIM = {
  name: 'claim-turn',
  text: `
WITH turn AS (
  UPDATE turns
  SET status = 'in_progress', epoch = epoch + 1, attempts = attempts + 1, worker_id = $4,
      leased_until = now() + $5::double precision * interval '1 millisecond',
      started_at = coalesce(started_at, now()), event_count = event_count + 2
  WHERE id = $1 AND epoch = $2 AND status = ANY ($3) AND dispatched_at IS NOT NULL
  RETURNING *
), event AS (
  INSERT INTO events (turn_id, sequence_number, id, tenant_id, type, payload)
  SELECT turn.id, turn.event_count - 1, $6, turn.tenant_id, 'turn.started', jsonb_build_object('attempt', turn.attempts)
  FROM turn
  UNION ALL
  SELECT turn.id, turn.event_count, $7, turn.tenant_id,
         CASE WHEN turn.attempts = 1 THEN 'step.started' ELSE 'step.restarted' END,
         jsonb_build_object('index', turn.step_count)
  FROM turn
)
SELECT turn.id, turn.tenant_id AS "tenantId", turn.session_id AS "sessionId", turn.agent_id AS "agentId",
  turn.agent_version AS "agentVersion", turn.epoch, turn.attempts, turn.status,
  agent_versions.config AS agent,
  (extract(epoch FROM turn.deadline_at - now()) * 1000)::double precision AS "remainingMs",
  turn.step_count AS "stepCount", turn.model_attempts AS "modelAttempts",
  turn.event_count AS "eventCount",
  (SELECT count(*)::int FROM steps WHERE steps.turn_id = turn.id AND steps.type = 'model_call') AS "modelCallCount",
  (SELECT steps.stop_reason FROM steps WHERE steps.turn_id = turn.id AND steps.type = 'model_call'
   ORDER BY steps.index DESC LIMIT 1) AS "lastStopReason",
  (SELECT coalesce(json_agg(json_build_object('role', messages.role, 'content', messages.content)
                   ORDER BY messages.turn_sequence, messages.index), '[]')
   FROM messages WHERE messages.session_id = turn.session_id AND messages.turn_sequence < turn.sequence) AS history,
  (SELECT coalesce(json_agg(json_build_object('role', messages.role, 'content', messages.content)
                   ORDER BY messages.index), '[]')
   FROM messages WHERE messages.turn_id = turn.id) AS messages,
  (SELECT coalesce(json_agg(json_build_object('id', tool_calls.id, 'toolUseId', tool_calls.tool_use_id,
                     'name', tool_calls.name, 'input', tool_calls.input, 'effect', tool_calls.effect,
                     'status', tool_calls.status, 'output', tool_calls.output, 'isError', tool_calls.is_error)
                   ORDER BY tool_calls.position), '[]')
   FROM tool_calls WHERE tool_calls.turn_id = turn.id AND tool_calls.step_index = turn.step_count - 1) AS "openToolCalls"
FROM turn JOIN agent_versions ON agent_versions.agent_id = turn.agent_id AND agent_versions.version = turn.agent_version`,
  row: claimedSchema,
};

/**
 * Takes a turn for `leaseMs`. `from` are the statuses that may be claimed. Null where the hint is
 * stale: the turn has moved on, or another worker was first.
 */
export async function claimTurn(
  sql: Sql,
  claim: {
    turnId: string;
    epoch: number;
    from: readonly TurnStatus[];
    workerId: string;
    leaseMs: number;
  },
): Promise<ClaimedTurn | null> {
  const [turn] = await query(sql, CLAIM, [
    claim.turnId,
    claim.epoch,
    claim.from,
    claim.workerId,
    claim.leaseMs,
    newId('event'),
    newId('event'),
  ]);
  return turn ?? null;
}
