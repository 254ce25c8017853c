import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';
import { OPEN_BATCH } from '../batches/batches.ts';
import { LIVE_SCHEDULE } from '../schedules/schedules.ts';

/** The rows of a tenant ($1) that count, for each kind; $2 is an id that does not count. */
const OWNED = {
  agents: `agents WHERE tenant_id = $1 AND deleted_at IS NULL AND id <> $2`,
  tools: `tools WHERE tenant_id = $1 AND id <> $2`,
  mcpServers: `mcp_servers WHERE tenant_id = $1 AND id <> $2`,
  batches: `turn_batches WHERE tenant_id = $1 AND status IN ${OPEN_BATCH} AND id <> $2`,
  schedules: `schedules WHERE tenant_id = $1 AND status IN ${LIVE_SCHEDULE} AND id <> $2`,
  secrets: `secrets WHERE tenant_id = $1 AND name <> $2`,
  apiKeys: `api_keys
    WHERE tenant_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp()) AND id <> $2`,
  webhookEndpoints: `webhook_endpoints WHERE tenant_id = $1 AND deleted_at IS NULL AND id <> $2`,
} as const;
export type Owned = keyof typeof OWNED;

/*
 * Invariant: the lock is held until the caller's transaction ends, and the count is a separate statement
 * after it. So each caller that counts before it adds sees what every earlier one added.
 */
const LOCK = {
  name: 'lock-owned',
  text: `SELECT pg_advisory_xact_lock(hashtextextended('turnpike.owned ' || $1 || ' ' || $2, 0))::text AS locked`,
  row: z.object({ locked: z.string() }),
};
const hasRoomSchema = z.object({ hasRoom: z.boolean() });

/**
 * Whether the tenant has fewer than `most` of these, not counting `except`. No other transaction adds one
 * until the transaction of `sql` ends.
 */
export async function hasRoomFor(
  sql: Sql,
  tenantId: string,
  owned: Owned,
  most: number,
  except = '',
): Promise<boolean> {
  await query(sql, LOCK, [owned, tenantId]);
  const count = {
    name: `count-${owned}`,
    text: `SELECT count(*) < $3::int AS "hasRoom" FROM (SELECT 1 FROM ${OWNED[owned]} LIMIT $3::int) AS counted`,
    row: hasRoomSchema,
  };
  const [counted] = await query(sql, count, [tenantId, except, most]);
  return counted?.hasRoom === true;
}

const COUNT_VERSIONS = {
  name: 'count-agent-versions',
  text: `
SELECT count(*) < $2::int AS "hasRoom"
FROM (SELECT 1 FROM agent_versions WHERE agent_id = $1 LIMIT $2::int) AS counted`,
  row: hasRoomSchema,
};

/** Whether an agent that `lockAgent` locked has fewer than `most` versions. */
export async function hasRoomForVersion(sql: Sql, agentId: string, most: number): Promise<boolean> {
  const [counted] = await query(sql, COUNT_VERSIONS, [agentId, most]);
  return counted?.hasRoom === true;
}
