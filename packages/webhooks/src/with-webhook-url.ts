import type { Turn } from '@turnpike/contract';
import { inTransaction, setWebhookUrl, type Sql } from '@turnpike/store';

/**
 * Accepts a turn together with the URL that is told of its end: both are committed, or none. A turn that the
 * submission only joins keeps the URL that it has.
 */
export function withWebhookUrl<Accepted extends { turn: Turn }>(
  sql: Sql,
  url: string | undefined,
  accept: (sql: Sql) => Promise<Accepted>,
): Promise<Accepted> {
  if (url === undefined) return accept(sql);
  return inTransaction(sql, async (transaction) => {
    const accepted = await accept(transaction);
    // As the parser writes it: its beginning is what deliveries are grouped by.
    await setWebhookUrl(transaction, accepted.turn.id, new URL(url).href);
    return accepted;
  });
}
