import { TerminalError } from '@turnpike/contract';
import pg from 'pg';
import { z } from 'zod';
import { SERVICE_SETTINGS } from './service-settings.ts';
import {
  alterRole,
  connectionTo,
  DatabaseSettingsError,
  exactly,
  firstSchema,
  readSessionTarget,
  type Setting,
} from './session-settings.ts';

export interface RoleSettings {
  role: string;
  database: string;
  /** Names of those that the role did not have. */
  given: string[];
}

/* A pooled address may name a role with its project behind it, as `postgres.project`. */
const READ = `
SELECT rolname::text AS role, current_database()::text AS database,
       ARRAY(SELECT setting FROM pg_db_role_setting, unnest(setconfig) AS setting
             WHERE setrole = pg_roles.oid
               AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())) AS settings
FROM pg_roles WHERE rolname IN ($1::text, split_part($1::text, '.', 1))
ORDER BY rolname = $1::text DESC LIMIT 1`;

const rowsSchema = z.array(
  z.object({ role: z.string(), database: z.string(), settings: z.array(z.string()) }),
);

/**
 * Gives the role of `serviceUrl`, in the database of `directUrl`, the settings that the service needs: a pooler lends
 * sessions for one transaction, so that the service can set nothing in them. Sessions that are open keep what they
 * have. Returns null where the server has no such role. Throws `DatabaseSettingsError` where the role may not be
 * changed, or is that of another installation.
 */
export async function giveRoleSettings(directUrl: string, serviceUrl: string): Promise<RoleSettings | null> {
  const { schema, settings } = readSessionTarget(serviceUrl, SERVICE_SETTINGS);
  const pool = new pg.Pool({
    ...connectionTo(readSessionTarget(directUrl, [], { isDirect: true })),
    max: 1,
    application_name: 'turnpike-migrate',
    connectionTimeoutMillis: 5_000,
  });
  pool.on('error', () => undefined);
  try {
    const user = decodeURIComponent(new URL(serviceUrl).username);
    const [found] = rowsSchema.parse((await pool.query(READ, [user])).rows);
    if (found === undefined) return null;
    const { role, database } = found;
    const own = new Map(found.settings.map((setting) => split(setting)));
    const ownSchema = firstSchema(own.get('search_path') ?? null);
    if (ownSchema !== null && ownSchema !== schema) {
      throw new DatabaseSettingsError(
        `The role ${role} works in the schema ${ownSchema} of the database ${database}, and through a pooler it cannot work in ${schema} too. Give this installation a role of its own.`,
      );
    }
    const missing: Setting[] = settings.filter(({ name, fits }) => !fits(own.get(name) ?? ''));
    if (ownSchema === null) missing.push(exactly('search_path', `"${schema}"`));
    const statements = alterRole({ role, database }, missing);
    if (missing.length > 0) await pool.query(statements).catch((error: unknown) => refuse(error, statements));
    return { role, database, given: missing.map(({ name }) => name) };
  } finally {
    await pool.end();
  }
}

function split(setting: string): [name: string, value: string] {
  const at = setting.indexOf('=');
  return [setting.slice(0, at), setting.slice(at + 1)];
}

function refuse(error: unknown, statements: string): never {
  if (!(error instanceof Error && 'code' in error && error.code === '42501')) throw error;
  throw new TerminalError(
    'migration_forbidden',
    `The migrating role may not change the settings of the service's role. Run as one that may: ${statements}`,
    error,
  );
}
