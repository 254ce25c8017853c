import { storableText, type ClaimedTurn, type InterruptedCall } from '@turnpike/contract';
import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';

/*
 * Invariant: usage is in the ledger exactly once, also that of a worker that lost its lease and commits no
 * step: the provider bills it all the same. The turn's sums change only while the turn is in this epoch. An
 * id is recorded once, so the write can be sent again.
 */
const RECORD = {
  name: 'record-partial-usage',
  text: `
WITH entry AS (
  INSERT INTO ledger_entries (step_id, tenant_id, session_id, turn_id, agent_id, model, input_tokens, output_tokens,
                              cache_creation_input_tokens, cache_read_input_tokens, cost_micros, counted)
  SELECT $1, $2, $3, $4, $5, $6, $7::int, $8::int, $9::int, $10::int, $11::bigint,
         NOT EXISTS (SELECT 1 FROM budgets WHERE budgets.tenant_id = $2)
  ON CONFLICT (step_id) DO NOTHING
  RETURNING turn_id
), turn AS (
  UPDATE turns
  SET input_tokens = input_tokens + $7, output_tokens = output_tokens + $8,
      cache_creation_input_tokens = cache_creation_input_tokens + $9,
      cache_read_input_tokens = cache_read_input_tokens + $10, cost_micros = cost_micros + $11
  FROM entry WHERE turns.id = entry.turn_id AND turns.epoch = $12
)
SELECT turn_id AS "turnId" FROM entry`,
  row: z.object({ turnId: z.string() }),
};

/** Records the usage of a model call that was interrupted. Waits at most `limitMs`. */
export async function recordPartialUsage(
  sql: Sql,
  turn: Pick<ClaimedTurn, 'id' | 'tenantId' | 'sessionId' | 'agentId' | 'epoch'>,
  { id, model, usage, costMicros }: Omit<InterruptedCall, 'providerRequestId'>,
  limitMs?: number,
): Promise<void> {
  const values = [
    id,
    turn.tenantId,
    turn.sessionId,
    turn.id,
    turn.agentId,
    storableText(model),
    usage.input_tokens,
    usage.output_tokens,
    usage.cache_creation_input_tokens,
    usage.cache_read_input_tokens,
    costMicros,
    turn.epoch,
  ];
  await query(sql, RECORD, values, limitMs);
}
