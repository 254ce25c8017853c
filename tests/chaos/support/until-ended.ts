import { setTimeout as delay } from 'node:timers/promises';
import type { ChaosCluster } from './chaos-cluster.ts';
import { CASE_LIMIT_MS } from './chaos-length.ts';

const LOOK_EVERY_MS = 100;

/** Waits until every turn has ended. The database may be down meanwhile. */
export async function untilAllEnded(chaos: ChaosCluster, limitMs = CASE_LIMIT_MS): Promise<void> {
  const end = performance.now() + limitMs;
  for (;;) {
    const open = await countOpen(chaos);
    if (open === 0) return;
    if (performance.now() > end) throw new Error(`${open} turns do not end.\n${chaos.cluster.logs()}`);
    await delay(LOOK_EVERY_MS);
  }
}

/** Null while the database does not respond. */
async function countOpen(chaos: ChaosCluster): Promise<number | null> {
  try {
    const { rows } = await chaos.cluster.database.pool.query<{ open: number }>(
      'SELECT count(*)::int AS open FROM turns WHERE finished_at IS NULL',
    );
    return rows[0]?.open ?? null;
  } catch {
    return null;
  }
}
