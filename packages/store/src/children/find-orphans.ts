import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';
import { OPEN_STATUSES, TO_CANCEL_STATUSES } from '../turns/open-statuses.ts';

const orphanSchema = z.object({ turnId: z.string(), sessionId: z.string(), tenantId: z.string() });
/** A child turn that is open although its parent has ended, or was asked to cancel. */
export type Orphan = z.infer<typeof orphanSchema>;

const ORPHAN = `child.id AS "turnId", child.session_id AS "sessionId", child.tenant_id AS "tenantId"`;
const IS_ORPHAN = `(parent.id IS NULL OR parent.status NOT IN ${TO_CANCEL_STATUSES})
  AND child.status <> 'cancelling'`;

const OF_PARENTS = {
  name: 'find-orphans-of',
  text: `
SELECT ${ORPHAN} FROM turns AS child LEFT JOIN turns AS parent ON parent.id = child.parent_turn_id
WHERE child.parent_turn_id = ANY ($1) AND child.status IN ${OPEN_STATUSES} AND ${IS_ORPHAN}`,
  row: orphanSchema,
};

/** The orphans among the child turns of these turns. */
export function findOrphansOf(sql: Sql, parentIds: readonly string[]): Promise<Orphan[]> {
  return query(sql, OF_PARENTS, [parentIds]);
}

const FIND = {
  name: 'find-orphans',
  text: `
WITH parents AS MATERIALIZED (
  SELECT DISTINCT parent_turn_id AS id FROM (
    SELECT parent_turn_id FROM turns
    WHERE parent_turn_id IS NOT NULL AND status IN ${OPEN_STATUSES} AND parent_turn_id > $1
    ORDER BY parent_turn_id LIMIT $2
  ) AS open
)
SELECT parents.id AS "parentId", ${ORPHAN.replaceAll('child.', 'orphan.')}
FROM parents LEFT JOIN LATERAL (
  SELECT child.* FROM turns AS child LEFT JOIN turns AS parent ON parent.id = child.parent_turn_id
  WHERE child.parent_turn_id = parents.id AND child.status IN ${OPEN_STATUSES} AND ${IS_ORPHAN}
) AS orphan ON true
ORDER BY parents.id`,
  row: z.object({
    parentId: z.string(),
    turnId: z.string().nullable(),
    sessionId: z.string().nullable(),
    tenantId: z.string().nullable(),
  }),
};

/**
 * For the reconciler: looks at up to `limit` open child turns, those of parents after the id `after`. Returns the
 * orphans among them, and where to continue; null at the end.
 */
export async function findOrphans(
  sql: Sql,
  after: string,
  limit: number,
): Promise<{ orphans: Orphan[]; last: string | null }> {
  const rows = await query(sql, FIND, [after, limit]);
  const orphans = rows.flatMap((row) => orphanSchema.safeParse(row).data ?? []);
  return { orphans, last: rows.at(-1)?.parentId ?? null };
}
