import {
  agentConfigSchema,
  awaitingSchema,
  contentBlockSchema,
  effectSchema,
  modelAuthSchema,
  newId,
  onUnknownSchema,
  toolCallStatusSchema,
  toolConfigSchema,
  turnStatusSchema,
} from '@turnpike/contract';
import type { ClaimedTurn, TurnStatus } from '@turnpike/contract';
import { z } from 'zod';
import { isBudgeted } from './reserve-cost.ts';
import { query, type Sql } from './sql.ts';

/** A turn that was claimed just now. */
export interface TakenTurn extends ClaimedTurn {
  /** Its tenant has turns that may run and are not dispatched: it has a place in the queue to give. */
  othersReady: boolean;
  /** The database's time from which on it could have run, were there nothing else to do; as `claimedAt`. */
  acceptedAt: number;
  /** The span of the request that brought it, where requests are traced. */
  traceparent: string | null;
}

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
  tools: z.array(
    z.object({
      name: z.string(),
      config: toolConfigSchema,
      signingSecret: z.object({
        name: z.string(),
        field: z.string(),
        version: z.int(),
        envelope: z.string(),
      }),
    }),
  ),
  modelAccess: z.object({
    keys: z.array(z.string()),
    baseUrl: z.string().nullable(),
    auth: modelAuthSchema,
    operatorKey: z.boolean(),
  }),
  claimedAt: z.number(),
  remainingMs: z.number(),
  stepCount: z.int(),
  modelAttempts: z.int(),
  eventCount: z.int(),
  modelCallCount: z.int(),
  lastStopReason: z.string().nullable(),
  summary: z.string().nullable(),
  history: z.array(messageSchema.extend({ turnSequence: z.int() })),
  messages: z.array(messageSchema),
  openToolCalls: z.array(
    z.object({
      id: z.string(),
      toolUseId: z.string(),
      name: z.string(),
      input: z.unknown(),
      effect: effectSchema,
      onUnknown: onUnknownSchema,
      status: toolCallStatusSchema,
      awaiting: awaitingSchema.nullable(),
      output: z.array(contentBlockSchema).nullable(),
      isError: z.boolean(),
    }),
  ),
  pendingInputs: z.int(),
  othersReady: z.boolean(),
  acceptedAt: z.number(),
  traceparent: z.string().nullable(),
  isBudgeted: z.boolean(),
}) satisfies z.ZodType<TakenTurn>;

/*
 * Invariant: a claim succeeds at most once for an epoch. The epoch rises with it, so whoever
 * held the turn before can write nothing more. Time is the database's.
 *
 * The journal is read in the same statement. Its snapshot is sound: a turn that qualifies was
 * `queued` at this epoch in that snapshot, and nobody writes to the journal of a queued turn. What
 * joins a turn is in its row, which is the locked one.
 */
const CLAIM = {
  name: 'claim-turn',
  text: `
WITH turn AS (
  UPDATE turns
  SET status = 'in_progress', epoch = epoch + 1, attempts = attempts + 1, worker_id = $4,
      leased_until = now() + $5::double precision * interval '1 millisecond',
      started_at = coalesce(started_at, now()), event_count = event_count + 2,
      reserved_micros = 0, reserved_tokens = 0
  WHERE id = $1 AND epoch = $2 AND status = ANY ($3) AND dispatched_at IS NOT NULL
  RETURNING *
), summary AS (
  SELECT summaries.through_sequence, summaries.content
  FROM turn JOIN summaries ON summaries.session_id = turn.session_id AND summaries.through_sequence < turn.sequence
  ORDER BY summaries.through_sequence DESC LIMIT 1
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
  (SELECT coalesce(json_agg(json_build_object('name', tools.name, 'config', tools.config, 'signingSecret',
                     json_build_object('name', tools.id, 'field', 'signing_secret', 'version', tools.signing_version,
                                       'envelope', tools.signing_envelope))), '[]')
   FROM jsonb_array_elements(agent_versions.config -> 'tools') AS given(tool)
   JOIN tools ON tools.tenant_id = turn.tenant_id AND tools.name = given.tool ->> 'name'
   WHERE given.tool ->> 'type' = 'http') AS tools,
  (SELECT json_build_object('keys', coalesce(model_settings.keys, '{}'), 'baseUrl', model_settings.base_url,
                            'auth', coalesce(model_settings.auth, 'x-api-key'), 'operatorKey', tenants.operator_key)
   FROM tenants LEFT JOIN model_settings ON model_settings.tenant_id = tenants.id
   WHERE tenants.id = turn.tenant_id) AS "modelAccess",
  (extract(epoch FROM now()) * 1000)::double precision AS "claimedAt",
  (extract(epoch FROM greatest(turn.created_at, turn.run_at)) * 1000)::double precision AS "acceptedAt",
  turn.traceparent,
  (extract(epoch FROM turn.deadline_at - now()) * 1000)::double precision AS "remainingMs",
  turn.step_count AS "stepCount", turn.model_attempts AS "modelAttempts",
  turn.event_count AS "eventCount",
  (SELECT count(*)::int FROM steps WHERE steps.turn_id = turn.id AND steps.type = 'model_call') AS "modelCallCount",
  (SELECT steps.stop_reason FROM steps WHERE steps.turn_id = turn.id AND steps.type = 'model_call'
   ORDER BY steps.index DESC LIMIT 1) AS "lastStopReason",
  (SELECT summary.content FROM summary) AS summary,
  (SELECT coalesce(json_agg(json_build_object('turnSequence', messages.turn_sequence, 'role', messages.role,
                                              'content', messages.content)
                   ORDER BY messages.turn_sequence, messages.index), '[]')
   FROM messages
   WHERE messages.session_id = turn.session_id AND messages.turn_sequence < turn.sequence
     AND messages.turn_sequence > coalesce((SELECT summary.through_sequence FROM summary), 0)
     AND NOT EXISTS (SELECT 1 FROM turns AS forgotten
                     WHERE forgotten.session_id = turn.session_id AND forgotten.rolled_back
                       AND forgotten.sequence = messages.turn_sequence)) AS history,
  (SELECT coalesce(json_agg(json_build_object('role', messages.role, 'content', messages.content)
                   ORDER BY messages.index), '[]')
   FROM messages WHERE messages.turn_id = turn.id) AS messages,
  (SELECT coalesce(json_agg(json_build_object('id', tool_calls.id, 'toolUseId', tool_calls.tool_use_id,
                     'name', tool_calls.name, 'input', tool_calls.input, 'effect', tool_calls.effect,
                     'onUnknown', tool_calls.on_unknown, 'status', tool_calls.status,
                     'awaiting', tool_calls.awaiting, 'output', tool_calls.output, 'isError', tool_calls.is_error)
                   ORDER BY tool_calls.position), '[]')
   FROM tool_calls WHERE tool_calls.turn_id = turn.id AND tool_calls.step_index = turn.step_count - 1) AS "openToolCalls",
  jsonb_array_length(turn.pending_inputs) AS "pendingInputs",
  EXISTS (SELECT 1 FROM turns AS others
          WHERE others.tenant_id = turn.tenant_id AND others.status = 'queued' AND others.ready_at IS NOT NULL
            AND others.dispatched_at IS NULL AND others.available_at IS NULL) AS "othersReady",
  ${isBudgeted('turn')} AS "isBudgeted"
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
): Promise<TakenTurn | null> {
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
