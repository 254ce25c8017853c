import { z } from 'zod';
import { query, type Sql } from './sql.ts';

const SET = {
  name: 'set-webhook-url',
  text: `UPDATE turns SET webhook_url = coalesce(webhook_url, $2) WHERE id = $1 RETURNING id`,
  row: z.object({ id: z.string() }),
};

/** Says who is told of a turn's end. A turn that knows somebody already, and was joined, keeps that one. */
export async function setWebhookUrl(sql: Sql, turnId: string, url: string): Promise<void> {
  await query(sql, SET, [turnId, url]);
}
