import { DEFAULT_LIMITS, limitsSchema, type Limits } from '@turnpike/contract';
import { changeLimits, insertAuditEntry, transaction } from '@turnpike/store';
import { Failure } from '../failure.ts';
import { say } from '../say.ts';
import { requireDatabaseUrl, withDatabase } from '../with-database.ts';
import { requireTenant } from './tenants.ts';

type LimitName = keyof Limits;

const LIMITS = limitsSchema.keyof().options.map((name) => ({ name, option: name.replaceAll('_', '-') }));

/** An option for each limit: its name, without dashes before it, and its description. */
export const LIMIT_OPTIONS = LIMITS.map(({ name, option }) => ({
  option,
  description: `a number, or "default": ${shown(DEFAULT_LIMITS[name])}`,
}));

/** Sets the given limits, and prints a line for each limit. `given` has the option names of commander. */
export async function setLimits(tenant: string, given: Record<string, string>): Promise<void> {
  const changes: { [Name in LimitName]?: number | null } = {};
  for (const { name, option } of LIMITS) {
    const text = given[option.replaceAll(/-(.)/g, (_dash, letter: string) => letter.toUpperCase())];
    if (text !== undefined) changes[name] = parseLimit(name, option, text);
  }
  await withDatabase(requireDatabaseUrl(), async (database) => {
    const tenantId = await requireTenant(database, tenant);
    const limits = await transaction(database.pool, async (sql) => {
      if (Object.keys(changes).length > 0) {
        const act = { tenantId, action: 'limits.changed', subject: tenantId, details: { ...changes } };
        await insertAuditEntry(sql, { ...act, actor: { type: 'operator' } });
      }
      return changeLimits(sql, tenantId, changes);
    });
    if (limits === null) throw new Failure(`There is no tenant ${tenant}.`);
    for (const { name } of LIMITS) {
      const note = limits[name] === DEFAULT_LIMITS[name] ? '  (default)' : '';
      say(`${name.padEnd(22)}  ${shown(limits[name])}${note}`);
    }
  });
}

function parseLimit(name: LimitName, option: string, text: string): number | null {
  if (text === 'default') return null;
  const limit = limitsSchema.shape[name].safeParse(/^\d+(\.\d+)?$/.test(text) ? Number(text) : text);
  if (limit.success && limit.data !== null) return limit.data;
  const why = limit.error?.issues.map((issue) => issue.message).join('; ') ?? 'a number is needed';
  throw new Failure(`--${option} cannot be ${text}: ${why}.`);
}

function shown(value: number | null): string {
  return value === null ? 'no limit' : String(value);
}
