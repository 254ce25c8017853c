import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';

const LOOK = {
  name: 'look-for-batches',
  text: `
SELECT EXISTS (SELECT 1 FROM batched_calls)
    OR EXISTS (SELECT 1 FROM model_batches WHERE status <> 'ended' AND poll_at <= now()) AS found`,
  row: z.object({ found: z.boolean() }),
};

/** Whether there are calls that go through batches, or batches to ask for: where no agent has the tier, neither. */
export async function lookForBatches(sql: Sql): Promise<boolean> {
  const [look] = await query(sql, LOOK, []);
  return look?.found === true;
}
