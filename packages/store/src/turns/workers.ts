import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';

/** A process that takes turns; `renewLeases` notes that it lives. Those of the last 30 s count in dispatch. */
export interface LiveWorker {
  id: string;
  /** Turns that it runs at once. */
  concurrency: number;
}

const idSchema = z.object({ id: z.string() });

const LEAVE = {
  name: 'remove-worker',
  text: `DELETE FROM workers WHERE id = $1 RETURNING id`,
  row: idSchema,
};

/** Its places count no longer in anybody's share. */
export async function removeWorker(sql: Sql, workerId: string): Promise<void> {
  await query(sql, LEAVE, [workerId]);
}

/* A row that is being written to is alive, and is passed over. */
const FORGET = {
  name: 'forget-workers',
  text: `
DELETE FROM workers WHERE id = ANY (ARRAY(
  SELECT id FROM workers WHERE seen_at <= now() - interval '30 seconds' LIMIT $1 FOR UPDATE SKIP LOCKED
)) RETURNING id`,
  row: idSchema,
};

/** Removes up to `limit` workers that died without a word; returns how many there were. */
export async function purgeWorkers(sql: Sql, limit: number): Promise<number> {
  const forgotten = await query(sql, FORGET, [limit]);
  return forgotten.length;
}
