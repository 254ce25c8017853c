import type { ContentBlock, Turn, TurnStatus } from '@turnpike/contract';
import { OPEN_STATUSES } from './open-statuses.ts';
import { json, query, type Sql } from '../database/sql.ts';
import { asTurn, storedTurnSchema, TURN_COLUMNS } from './stored-turn.ts';

/** The most messages that may wait to join one turn. */
const MOST_PENDING = 50;

/** A turn that is parked for its child turns has begun, though it is queued. The first condition is for the index. */
const JOINABLE = `status IN ${OPEN_STATUSES} AND (status = ANY ($3) OR (status = 'queued' AND waits_for_children))`;

/*
 * Invariant: a message either joins a turn or does not; it is never lost. It is added to the turn's row, and
 * whoever ends the turn holds the lock of that row. The event count stays as it is: it is part of the
 * worker's fence.
 */
const STEER = {
  name: 'steer-turn',
  text: `
UPDATE turns SET pending_inputs = pending_inputs || jsonb_build_array(
  jsonb_build_object('id', $4::text, 'role', 'user', 'content', $5::jsonb)),
  webhook_url = coalesce(webhook_url, $6)
WHERE id = (SELECT id FROM turns WHERE tenant_id = $1 AND session_id = $2 AND ${JOINABLE} LIMIT 1)
  AND ${JOINABLE} AND jsonb_array_length(pending_inputs) < ${MOST_PENDING}
RETURNING ${TURN_COLUMNS}`,
  row: storedTurnSchema.transform(asTurn),
};

/**
 * Adds a message to the session's turn that has one of these statuses, or is parked for its child turns. Null if there
 * is none. A turn that has
 * a webhook URL keeps its own.
 */
export async function steerTurn(
  sql: Sql,
  message: {
    tenantId: string;
    sessionId: string;
    messageId: string;
    content: ContentBlock[];
    webhookUrl: string | null;
  },
  joinable: readonly TurnStatus[],
): Promise<Turn | null> {
  const { tenantId, sessionId, messageId, content, webhookUrl } = message;
  const [turn] = await query(sql, STEER, [
    tenantId,
    sessionId,
    joinable,
    messageId,
    json(content),
    webhookUrl,
  ]);
  return turn ?? null;
}
