import { requiredActionSchema, webhookFormatSchema, type Turn } from '@turnpike/contract';
import { z } from 'zod';
import { selectList } from '../database/select-list.ts';
import { query, type Sql } from '../database/sql.ts';
import { HAS_ITS_CONFIG } from './has-its-config.ts';
import { asTurn, storedTurnSchema, TURN_COLUMNS } from '../turns/stored-turn.ts';

const claimedSchema = z.object({
  id: z.string(),
  tenantId: z.string(),
  endpointId: z.string().nullable(),
  url: z.string(),
  format: webhookFormatSchema,
  lane: z.string(),
  eventId: z.string(),
  type: z.string(),
  turnId: z.string().nullable(),
  /** The push configuration of the turn that it is for. */
  pushConfigId: z.string().nullable(),
  /** W3C trace context of the request that submitted the turn, if requests are traced. */
  traceparent: z.string().nullable(),
  createdAt: z.date(),
  /** The database's time at the moment of the claim, in milliseconds since 1970. */
  claimedAt: z.number(),
  claim: z.int(),
  tries: z.int(),
  payload: z.looseObject({}),
});

/** A delivery that a worker has claimed. `tries` counts the attempts since it was begun, before this one. */
export type ClaimedDelivery = z.infer<typeof claimedSchema>;

/*
 * Invariant: one worker at a time holds a delivery, by the database's clock. A claim raises its number, so an
 * earlier holder can record nothing more. Deliveries to a disabled endpoint are not claimed;
 * `deadLetterDeliveries` ends them. Nor are those to a push configuration that was removed or replaced.
 */
const CLAIM = {
  name: 'claim-delivery',
  text: `
WITH held AS (
  UPDATE deliveries
  SET claim = claim + 1, claimed_until = now() + $3::double precision * interval '1 millisecond', hinted_at = now()
  WHERE id = $1 AND hint = $2 AND hinted_at IS NOT NULL AND status IN ('pending', 'failed') AND next_attempt_at <= now()
    AND (claimed_until IS NULL OR claimed_until <= now())
    AND (endpoint_id IS NULL OR EXISTS (
      SELECT 1 FROM webhook_endpoints WHERE webhook_endpoints.id = deliveries.endpoint_id AND enabled))
    AND ${HAS_ITS_CONFIG}
  RETURNING *
)
SELECT ${selectList(claimedSchema, 'held', {
    url: 'coalesce(held.url, endpoint.url)',
    format: "coalesce(endpoint.format, 'turnpike')",
    traceparent: '(SELECT turns.traceparent FROM turns WHERE turns.id = held.turn_id)',
    claimedAt: '(extract(epoch FROM now()) * 1000)::double precision',
  })}
FROM held LEFT JOIN webhook_endpoints AS endpoint ON endpoint.id = held.endpoint_id`,
  row: claimedSchema,
};

/** Claims a delivery for `leaseMs`. Null if the job is stale, or the delivery cannot be attempted now. */
export async function claimDelivery(
  sql: Sql,
  claim: { deliveryId: string; jobNumber: number; leaseMs: number },
): Promise<ClaimedDelivery | null> {
  const [claimed] = await query(sql, CLAIM, [claim.deliveryId, claim.jobNumber, claim.leaseMs]);
  return claimed ?? null;
}

/** The snapshot does not contain input texts: they never change, and are read from the tool calls. */
const waitingCallSchema = requiredActionSchema.shape.tool_calls.element.omit({ input_text: true });

const snapshotSchema = z.object({
  sequence_number: z.int(),
  truncated: z.boolean(),
  actions: z.array(waitingCallSchema).nullable(),
});

/*
 * The payload contains the turn's row as it was, and is read like any other row, so new columns need nothing
 * here. A column that was added after the event has no value in the payload; it is read from the turn's
 * present row.
 */
const READ_TURN = {
  name: 'read-turn-of-delivery',
  text: `
SELECT ${TURN_COLUMNS}, (
  SELECT json_object_agg(tool_calls.id, tool_calls.input_text) FROM tool_calls
  WHERE tool_calls.turn_id = present.id AND tool_calls.id IN (
    SELECT action.value ->> 'id'
    FROM jsonb_array_elements(coalesce(nullif(deliveries.payload -> 'actions', 'null'), '[]')) AS action(value))
  ) AS "inputTexts"
FROM deliveries JOIN turns AS present ON present.id = deliveries.turn_id
CROSS JOIN LATERAL jsonb_populate_record(present, deliveries.payload -> 'turn') AS turns
WHERE deliveries.id = $1`,
  row: storedTurnSchema.extend({ inputTexts: z.record(z.string(), z.string().nullable()).nullable() }),
};

/** The turn that a delivery is about, as it was at the time of the event. Null if it was erased. */
export async function readTurnOfDelivery(
  sql: Sql,
  delivery: ClaimedDelivery,
): Promise<{ turn: Turn; sequenceNumber: number; truncated: boolean } | null> {
  const [row] = await query(sql, READ_TURN, [delivery.id]);
  if (row === undefined) return null;
  const { sequence_number: sequenceNumber, truncated, actions } = snapshotSchema.parse(delivery.payload);
  // If the input was left out for its length, so is its text.
  const textOf = ({ id, input }: z.infer<typeof waitingCallSchema>): string | null =>
    truncated && input === null ? null : (row.inputTexts?.[id] ?? null);
  const waiting = actions && actions.map((call) => ({ ...call, input_text: textOf(call) }));
  return { turn: asTurn({ ...row, actions: waiting }), sequenceNumber, truncated };
}

const TOOLS_CALLED = {
  name: 'tools-called-until',
  text: `
SELECT steps.index, coalesce(
  jsonb_path_query_array(jsonb_agg(messages.content), '$[*][*] ? (@.type == "tool_use").name'), '[]') AS names
FROM steps JOIN messages ON messages.turn_id = steps.turn_id AND messages.step_index = steps.index
WHERE steps.turn_id = $1 AND steps.type = 'model_call'
  AND ($2::text[] IS NULL OR steps.index <= (SELECT max(step_index) FROM tool_calls WHERE turn_id = $1 AND id = ANY ($2)))
GROUP BY steps.index ORDER BY steps.index`,
  row: z.object({ index: z.int(), names: z.array(z.string()) }),
};

/**
 * The names of the tools that each model call of a turn asked for, in order. `waiting`: up to the model call that asked
 * for these calls; null for all.
 */
export async function listToolsCalled(
  sql: Sql,
  turnId: string,
  waiting: readonly string[] | null,
): Promise<string[][]> {
  const steps = await query(sql, TOOLS_CALLED, [turnId, waiting]);
  return steps.map(({ names }) => names);
}
