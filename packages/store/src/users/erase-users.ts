import { newId, type UserErasure } from '@turnpike/contract';
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import type { ListPage } from '../database/list-range.ts';
import { selectList } from '../database/select-list.ts';
import { query, transaction, type Sql } from '../database/sql.ts';
import { insertAuditEntry } from '../tenants/audit.ts';

/*
 * Invariants: an erasure is completed only once the user has no session, and its entry in the audit log is of the same
 * transaction. The id of the user is in the row until then, and never after.
 */

const storedErasureSchema = z.object({
  id: z.string(),
  userHash: z.string(),
  erasedSessions: z.int(),
  createdAt: z.date(),
  completedAt: z.date().nullable(),
});
const ERASURE_COLUMNS = selectList(storedErasureSchema, 'user_erasures');

const erasureRow = storedErasureSchema.transform((row): UserErasure => ({
  id: row.id,
  object: 'user_erasure',
  status: row.completedAt === null ? 'pending' : 'completed',
  user_hash: row.userHash,
  erased_sessions: row.erasedSessions,
  created_at: row.createdAt.toISOString(),
  completed_at: row.completedAt?.toISOString() ?? null,
}));

/** What tells one user from another once their id is forgotten. The tenant is in it: a hash says nothing to another. */
function userHash(tenantId: string, userId: string): string {
  return createHash('sha256').update(`${tenantId}:${userId}`).digest('hex');
}

const REQUEST = {
  name: 'request-user-erasure',
  text: `
INSERT INTO user_erasures (id, tenant_id, user_id, user_hash, key_id) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant_id, user_id) WHERE completed_at IS NULL DO UPDATE SET user_id = excluded.user_id
RETURNING ${ERASURE_COLUMNS}`,
  row: erasureRow,
};

/** Asks for the erasure of a user. While one is pending for them, it is that one. */
export async function requestUserErasure(
  sql: Sql,
  { tenantId, userId, keyId }: { tenantId: string; userId: string; keyId: string },
): Promise<UserErasure> {
  const values = [newId('userErasure'), tenantId, userId, userHash(tenantId, userId), keyId];
  const [erasure] = await query(sql, REQUEST, values);
  if (erasure === undefined) throw new Error('An insert returned no row.');
  return erasure;
}

const READ = {
  name: 'read-user-erasure',
  text: `SELECT ${ERASURE_COLUMNS} FROM user_erasures WHERE tenant_id = $1 AND id = $2`,
  row: erasureRow,
};

/** Null if there is none, or if it belongs to another tenant. */
export async function readUserErasure(sql: Sql, tenantId: string, id: string): Promise<UserErasure | null> {
  const [erasure] = await query(sql, READ, [tenantId, id]);
  return erasure ?? null;
}

const LIST = {
  name: 'list-user-erasures',
  text: `
SELECT ${ERASURE_COLUMNS} FROM user_erasures
WHERE tenant_id = $1 AND ($2::text IS NULL OR id < $2) ORDER BY id DESC LIMIT $3`,
  row: erasureRow,
};

/** A tenant's erasures, newest first, those after the cursor. */
export function listUserErasures(sql: Sql, tenantId: string, page: ListPage): Promise<UserErasure[]> {
  return query(sql, LIST, [tenantId, page.cursor, page.limit]);
}

const TAKE = {
  name: 'take-user-erasure',
  text: `
SELECT id, tenant_id AS "tenantId", user_id AS "userId", user_hash AS "userHash", key_id AS "keyId",
  erased_sessions AS "erasedSessions"
FROM user_erasures WHERE completed_at IS NULL AND id > $1 ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED`,
  row: z.object({
    id: z.string(),
    tenantId: z.string(),
    userId: z.string(),
    userHash: z.string(),
    keyId: z.string(),
    erasedSessions: z.int(),
  }),
};

/* Those of child turns go with the sessions that they belong to, which are of the same user. */
const ERASE = {
  name: 'erase-sessions-of-user',
  text: `
DELETE FROM sessions WHERE id = ANY (ARRAY(
  SELECT id FROM sessions WHERE tenant_id = $1 AND user_id = $2 AND parent_session_id IS NULL ORDER BY id LIMIT $3))
RETURNING id`,
  row: z.object({ id: z.string() }),
};

const COUNT = {
  name: 'count-erased-sessions',
  text: `UPDATE user_erasures SET erased_sessions = erased_sessions + $2 WHERE id = $1 RETURNING id`,
  row: z.object({ id: z.string() }),
};

const COMPLETE = {
  name: 'complete-user-erasure',
  text: `UPDATE user_erasures SET completed_at = now(), user_id = NULL WHERE id = $1 RETURNING id`,
  row: z.object({ id: z.string() }),
};

/**
 * Erases up to `limit` sessions of the user of a pending erasure, the first after the id `after`, or completes it where
 * there are none. A worker that runs one of their turns loses its lease. Null where no erasure is pending that nobody
 * else works at.
 */
export function eraseSessionsOfUser(
  database: Pick<Database, 'pool'>,
  after: string,
  limit: number,
): Promise<{ id: string; tenantId: string; sessionIds: string[] } | null> {
  return transaction(database.pool, async (sql) => {
    const [erasure] = await query(sql, TAKE, [after]);
    if (erasure === undefined) return null;
    const { id, tenantId, userId, userHash: user, keyId, erasedSessions } = erasure;
    const erased = await query(sql, ERASE, [tenantId, userId, limit]);
    if (erased.length > 0) {
      await query(sql, COUNT, [id, erased.length]);
    } else {
      await query(sql, COMPLETE, [id]);
      await insertAuditEntry(sql, {
        tenantId,
        actor: { type: 'api_key', id: keyId },
        action: 'user.erased',
        subject: id,
        details: { user_hash: user, erased_sessions: erasedSessions },
      });
    }
    return { id, tenantId, sessionIds: erased.map((session) => session.id) };
  });
}
