import { z } from 'zod';
import { query, type Sql } from '../database/sql.ts';

const SET = {
  name: 'set-debug-until',
  text: `
UPDATE tenants SET debug_until = now() + $2::double precision * interval '1 minute' WHERE id = $1
RETURNING debug_until AS "debugUntil"`,
  row: z.object({ debugUntil: z.date().nullable() }),
};

/** Allows the content of a tenant's turns to be logged for that long; null ends it. Returns until when. */
export async function setDebug(sql: Sql, tenantId: string, minutes: number | null): Promise<Date | null> {
  const [set] = await query(sql, SET, [tenantId, minutes]);
  return set?.debugUntil ?? null;
}

const LIST = {
  name: 'list-debugged-tenants',
  text: `SELECT id FROM tenants WHERE debug_until > now() ORDER BY debug_until DESC LIMIT $1`,
  row: z.object({ id: z.string() }),
};

/** Tenants whose turns may be logged now, at most a hundred. */
export async function listDebuggedTenants(sql: Sql): Promise<string[]> {
  return (await query(sql, LIST, [100])).map(({ id }) => id);
}
