import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';
import { isAlive, type Capability } from './capability.ts';

/**
 * A process that claims turns. `renewLeases` records that it is alive; dispatch counts workers seen in the
 * last 30 s.
 */
export interface LiveWorker {
  id: string;
  /** The number of turns that it runs at once. */
  concurrency: number;
  /** Default: `PLAIN`. */
  runs?: Capability;
  /** What `announceBuild` stored of it. Default: null, nothing. */
  build?: string | null;
}

const idSchema = z.object({ id: z.string() });

const LEAVE = {
  name: 'remove-worker',
  text: `DELETE FROM workers WHERE id = $1 RETURNING id`,
  row: idSchema,
};

/** Removes a worker that drains: its slots no longer count for dispatch. */
export async function removeWorker(sql: Sql, workerId: string): Promise<void> {
  await query(sql, LEAVE, [workerId]);
}

/* A locked row is being renewed, so its worker is alive: it is skipped. */
const PURGE = {
  name: 'purge-workers',
  text: `
DELETE FROM workers WHERE id = ANY (ARRAY(
  SELECT id FROM workers WHERE NOT (${isAlive('workers')}) LIMIT $1 FOR UPDATE SKIP LOCKED
)) RETURNING id`,
  row: idSchema,
};

/** Removes up to `limit` workers that died without removing themselves. Returns how many. */
export async function purgeWorkers(sql: Sql, limit: number): Promise<number> {
  const purged = await query(sql, PURGE, [limit]);
  return purged.length;
}
