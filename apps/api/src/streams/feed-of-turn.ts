import { findTurnLog, readTurnFacts, type Sql, type TurnLog } from '@turnpike/store';
import type { FeedSource } from './feed.ts';

/** The events of one turn of the tenant. */
export function feedOfTurn(sql: Sql, tenantId: string, turnId: string, { sessionId }: TurnLog): FeedSource {
  return {
    key: turnId,
    sessionId,
    read: ({ sequenceNumber }, limit) => readTurnFacts(sql, turnId, { after: sequenceNumber, limit }),
    isThere: async () => (await findTurnLog(sql, tenantId, turnId)) !== null,
  };
}
