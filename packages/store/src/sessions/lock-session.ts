import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';

/*
 * Invariant: a session is locked before its turns (decision 8). A statement after this one sees everything
 * that was committed before the lock was acquired, and no turn is added until the commit.
 */
const LOCK = {
  name: 'lock-session',
  text: `SELECT id FROM sessions WHERE id = $1 AND tenant_id = $2 FOR NO KEY UPDATE`,
  row: z.object({ id: z.string() }),
};

const LOCK_OF_TURN = {
  name: 'lock-session-of-turn',
  text: `
SELECT sessions.id FROM sessions JOIN turns ON turns.session_id = sessions.id
WHERE turns.id = $1 AND turns.tenant_id = $2 FOR NO KEY UPDATE OF sessions`,
  row: z.object({ id: z.string() }),
};

/** Locks a session until the transaction ends. False if it does not exist. */
export async function lockSession(sql: Sql, tenantId: string, sessionId: string): Promise<boolean> {
  const locked = await query(sql, LOCK, [sessionId, tenantId]);
  return locked.length > 0;
}

/** Locks the session of a turn until the transaction ends. False if the turn does not exist. */
export async function lockSessionOfTurn(sql: Sql, tenantId: string, turnId: string): Promise<boolean> {
  const locked = await query(sql, LOCK_OF_TURN, [turnId, tenantId]);
  return locked.length > 0;
}
