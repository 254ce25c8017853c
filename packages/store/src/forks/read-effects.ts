import { contentBlockSchema, effectSchema, toolCallStatusSchema } from '@turnpike/contract';
import { z } from 'zod';
import { jsonObject } from '../database/select-list.ts';
import { query, type Sql } from '../database/sql.ts';

const time = z.string().transform((text) => new Date(text).toISOString());

const callSchema = z.object({
  id: z.string(),
  turnId: z.string(),
  stepIndex: z.int(),
  toolUseId: z.string(),
  name: z.string(),
  input: z.unknown(),
  inputText: z.string().nullable(),
  effect: effectSchema,
  status: toolCallStatusSchema,
  output: z.array(contentBlockSchema).nullable(),
  isError: z.boolean(),
  childTurnId: z.string().nullable(),
  startedAt: time.nullable(),
  completedAt: time.nullable(),
});
export type RepeatedCall = z.infer<typeof callSchema>;

const effectsSchema = z.object({
  calls: z.array(callSchema),
  count: z.int(),
  /** Of all of them, and what became of each. */
  hash: z.string(),
});
export type Effects = z.infer<typeof effectsSchema>;

/** Bytes; a longer input or output is left out: it is in the turn's steps. */
const MOST_SHOWN = 4_000;
const ifShort = (column: string): string =>
  `CASE WHEN octet_length(calls.${column}::text) <= ${MOST_SHOWN} THEN calls.${column} END`;

/*
 * Invariant: every call that may have changed something is in it: all but those of tools that only read, and those that
 * were never made. A call of an agent brings those of its child turn, and so on; a copy of a call names the same
 * child turn as its original.
 */
const READ = {
  name: 'read-effects-of-turn',
  text: `
WITH RECURSIVE reached AS (
  SELECT tool_calls.* FROM tool_calls WHERE turn_id = $1 AND tenant_id = $2 AND step_index >= $3
  UNION ALL
  SELECT below.* FROM reached JOIN tool_calls AS below
    ON below.turn_id = reached.child_turn_id AND below.tenant_id = reached.tenant_id
), calls AS MATERIALIZED (
  SELECT * FROM reached WHERE status <> 'pending' AND (effect <> 'read' OR child_turn_id IS NOT NULL)
)
SELECT (SELECT count(*)::int FROM calls) AS count, (
  SELECT encode(sha256(convert_to($1 || ' ' || $3::int || ' '
    || coalesce(string_agg(id || ' ' || status, ' ' ORDER BY created_at, id), ''), 'UTF8')), 'hex')
  FROM calls) AS hash, (
  SELECT coalesce(json_agg(${jsonObject(callSchema, 'calls', {
    input: ifShort('input'),
    inputText: ifShort('input_text'),
    output: ifShort('output'),
  })} ORDER BY calls.created_at, calls.id), '[]')
  FROM (SELECT * FROM calls ORDER BY created_at, id LIMIT $4) AS calls) AS calls`,
  row: effectsSchema,
};

/**
 * The tool calls of a turn, and of all turns below it, from a step on, that may have changed something: the first
 * `limit` of them, with the number and a hash of all.
 */
export async function readEffects(
  sql: Sql,
  tenantId: string,
  { turnId, fromStep }: { turnId: string; fromStep: number },
  limit: number,
): Promise<Effects> {
  const [effects] = await query(sql, READ, [turnId, tenantId, fromStep, limit]);
  if (effects === undefined) throw new Error('A count returned no row.');
  return effects;
}
