import {
  DEFAULT_LIMITS,
  limitOverridesSchema,
  limitsSchema,
  type LimitOverrides,
  type Limits,
} from '@turnpike/contract';
import { z } from 'zod';
import { json, query, type Sql } from '../database/sql.ts';

/**
 * The columns of a tenant's own limits: dispatch reads two of them, so those have columns; the others are
 * JSON.
 */
export const LIMIT_COLUMNS = `tenants.limits AS "limitOverrides", tenants.max_running_turns AS "maxRunningTurns", tenants.weight`;

export const storedLimits = {
  limitOverrides: limitOverridesSchema,
  maxRunningTurns: z.int(),
  weight: z.number(),
};

interface StoredLimits {
  limitOverrides: LimitOverrides;
  maxRunningTurns: number;
  weight: number;
}

/** A tenant's limits: its own, and defaults for the rest. */
export function limitsOf({ limitOverrides, maxRunningTurns, weight }: StoredLimits): Limits {
  return limitsSchema.parse({
    ...DEFAULT_LIMITS,
    ...limitOverrides,
    max_running_turns: maxRunningTurns,
    weight,
  });
}

const READ = {
  name: 'read-limits',
  text: `SELECT ${LIMIT_COLUMNS} FROM tenants WHERE id = $1`,
  row: z.object(storedLimits).transform(limitsOf),
};

/** A tenant's limits; null if there is no such tenant. */
export async function readLimits(sql: Sql, tenantId: string): Promise<Limits | null> {
  const [limits] = await query(sql, READ, [tenantId]);
  return limits ?? null;
}

const CHANGE = {
  name: 'change-limits',
  text: `
UPDATE tenants
SET limits = (limits || $2::jsonb) - $3::text[], max_running_turns = coalesce($4, max_running_turns),
    weight = coalesce($5, weight)
WHERE id = $1
RETURNING ${LIMIT_COLUMNS}`,
  row: z.object(storedLimits).transform(limitsOf),
};

/**
 * Sets some of a tenant's limits (`null` for the default) and returns all. Null if there is no such tenant.
 * Processes notice within about a second.
 */
export async function changeLimits(
  sql: Sql,
  tenantId: string,
  changes: { [Name in keyof Limits]?: NonNullable<Limits[Name]> | null | undefined },
): Promise<Limits | null> {
  const { max_running_turns: maxRunningTurns, weight, ...others } = changes;
  const set = Object.fromEntries(Object.entries(others).filter(([, value]) => typeof value === 'number'));
  const reset = Object.entries(others).flatMap(([name, value]) => (value === null ? [name] : []));
  const [limits] = await query(sql, CHANGE, [
    tenantId,
    json(set),
    reset,
    maxRunningTurns === null ? DEFAULT_LIMITS.max_running_turns : (maxRunningTurns ?? null),
    weight === null ? DEFAULT_LIMITS.weight : (weight ?? null),
  ]);
  return limits ?? null;
}
