import { ID_PREFIXES } from '@turnpike/contract';
import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';

const { session, turn, agent, tool, webhookEndpoint, delivery, file } = ID_PREFIXES;

/*
 * Invariant: every kind of object that a tenant can delete, also together with another, is looked for here. API keys
 * are not: a revoked one is still listed.
 */
const FIND_DELETED = {
  name: 'find-deleted',
  text: `
SELECT named.id FROM unnest($2::text[]) AS named(id)
WHERE NOT CASE split_part(named.id, '_', 1)
  WHEN '${session}' THEN EXISTS (SELECT FROM sessions WHERE id = named.id AND tenant_id = $1)
  WHEN '${turn}' THEN EXISTS (SELECT FROM turns WHERE id = named.id AND tenant_id = $1)
  WHEN '${agent}' THEN EXISTS (SELECT FROM agents WHERE id = named.id AND tenant_id = $1 AND deleted_at IS NULL)
  WHEN '${tool}' THEN EXISTS (SELECT FROM tools WHERE id = named.id AND tenant_id = $1)
  WHEN '${webhookEndpoint}' THEN EXISTS (SELECT FROM webhook_endpoints WHERE id = named.id AND tenant_id = $1 AND deleted_at IS NULL)
  WHEN '${delivery}' THEN EXISTS (SELECT FROM deliveries WHERE id = named.id AND tenant_id = $1)
  WHEN '${file}' THEN EXISTS (SELECT FROM files WHERE id = named.id AND tenant_id = $1)
  ELSE true
END`,
  row: z.object({ id: z.string() }),
};

/** Which of these ids were the tenant's, and are deleted or erased. */
export async function findDeleted(sql: Sql, tenantId: string, ids: readonly string[]): Promise<string[]> {
  const found = await query(sql, FIND_DELETED, [tenantId, ids]);
  return found.map(({ id }) => id);
}
