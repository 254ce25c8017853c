import { TerminalError } from '@turnpike/contract';
import pg from 'pg';
import { z } from 'zod';
import { keepsStatements, sendUnnamed } from './pooled-statements.ts';

/**
 * The URL or the session of a database has settings that Turnpike cannot work with. The message says what to
 * change.
 */
export class DatabaseSettingsError extends TerminalError {
  constructor(message: string) {
    super('database_settings', message);
  }
}

/** Where a connection goes, and the settings of its session. */
export interface SessionTarget {
  /** The URL without the parameters that set what we set ourselves, and with `options`, if it has any. */
  connectionString: string;
  /** The schema that holds all tables of this installation. */
  schema: string;
  /** The URL names the schema; otherwise it is `public` by default. */
  isSchemaNamed: boolean;
  /** What the session must have. A session that has another value is given this one, where that is possible. */
  settings: readonly Setting[];
  /** A pooler may not be in between. */
  isDirect: boolean;
}

/** Parameters of a URL that would override what we set ourselves. */
const OURS = [
  'schema',
  'search_path',
  'statement_timeout',
  'query_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'client_encoding',
  'replication',
  'application_name',
  'fallback_application_name',
];

/** Of a name's 63 bytes, some are left for the backplane's schema, which is named after this one. */
const SCHEMA_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,47}$/;

/** A setting of a Postgres session. */
export interface Setting {
  name: string;
  /** The value that we set, as Postgres shows it. */
  value: string;
  fits(value: string): boolean;
}

/** A setting that has one right value. */
export const exactly = (name: string, value: string): Setting => ({
  name,
  value,
  fits: (it) => it === value,
});

/** Settings that our SQL relies on. A role, a database, a URL or a pooler may set others. */
const RELIED_ON: readonly Setting[] = [
  // Prisma's adapter reads every timestamptz as UTC, and the ledger's days are days of UTC.
  { name: 'TimeZone', value: 'UTC', fits: (it) => /^(Etc\/)?(UTC|UCT|Universal|Zulu)$/i.test(it) },
  { name: 'DateStyle', value: 'ISO,MDY', fits: (it) => it.startsWith('ISO') },
  exactly('IntervalStyle', 'postgres'),
  exactly('bytea_output', 'hex'),
  exactly('standard_conforming_strings', 'on'),
  exactly('default_transaction_isolation', 'read committed'),
  exactly('default_transaction_deferrable', 'off'),
  exactly('lock_timeout', '0'),
];

/** Settings that are checked but not set here: nobody may, or the driver sets them. */
const EXPECTED: readonly Setting[] = [
  exactly('client_encoding', 'UTF8'),
  // With another value triggers do not fire, so no delivery would be made.
  exactly('session_replication_role', 'origin'),
];

/**
 * Parses a URL. `more` are further settings. Throws `DatabaseSettingsError` if the URL names a schema in a way that
 * is not supported.
 */
export function readSessionTarget(
  databaseUrl: string,
  more: readonly Setting[] = [],
  { isDirect = false }: { isDirect?: boolean } = {},
): SessionTarget {
  const url = new URL(databaseUrl);
  const given = url.searchParams.get('options') ?? '';
  if (url.searchParams.has('search_path') || /(^|\s)(-c\s*|--)search[_-]path\s*=/i.test(given)) {
    throw new DatabaseSettingsError(
      'The address of the database sets search_path; name the schema with ?schema= instead, such as ?schema=turnpike.',
    );
  }
  const named = url.searchParams.get('schema');
  const schema = named ?? 'public';
  if (!SCHEMA_NAME.test(schema) || /^(pg_|information_schema$)/i.test(schema)) {
    throw new DatabaseSettingsError(
      `The schema ${JSON.stringify(schema)} in the address of the database cannot be used: a name has at most 48 letters, digits and _, does not begin with a digit or "pg_", and is not information_schema.`,
    );
  }
  for (const name of OURS) url.searchParams.delete(name);
  return {
    connectionString: url.href,
    schema,
    isSchemaNamed: named !== null,
    settings: [...RELIED_ON, ...more],
    isDirect,
  };
}

/** The configuration of a pool. Each session is checked, and given its settings, before it is used. */
export function connectionTo(target: SessionTarget): pg.PoolConfig {
  // The driver waits for the returned promise; its types do not say so.
  const prepare: object = { onConnect: (client: pg.ClientBase) => prepareSession(client, target) };
  return { connectionString: target.connectionString, ...prepare };
}

/* The existing schemas of the search path, and the search path that the role or the database sets. */
const READ = `
SELECT ARRAY(SELECT current_setting(name) FROM unnest($2::text[]) WITH ORDINALITY AS given (name, number) ORDER BY number) AS settings,
       pg_backend_pid() AS process_id, current_user::text AS role, current_database()::text AS database,
       array_to_string(current_schemas(false), ', ') AS schemas,
       to_regnamespace(quote_ident($1)) IS NOT NULL AS is_there,
       (SELECT substr(setting, length('search_path=') + 1)
        FROM pg_db_role_setting, unnest(setconfig) AS setting
        WHERE setting LIKE 'search\\_path=%'
          AND setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user))
          AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
        ORDER BY setrole <> 0 DESC, setdatabase <> 0 DESC LIMIT 1) AS own_path`;

const sessionSchema = z.tuple([
  z.object({
    settings: z.array(z.string()),
    process_id: z.int(),
    role: z.string(),
    database: z.string(),
    schemas: z.string().nullable(),
    is_there: z.boolean(),
    own_path: z.string().nullable(),
  }),
]);
type Session = z.infer<typeof sessionSchema>[0];

async function readSession(
  client: Pick<pg.ClientBase, 'query'>,
  { schema, settings }: SessionTarget,
): Promise<{ session: Session; wrong: { setting: Setting; found: string }[] }> {
  const all = [...settings, ...EXPECTED];
  const { rows } = await client.query(READ, [schema, all.map(({ name }) => name)]);
  const [session] = sessionSchema.parse(rows);
  const found = all.map((setting, index) => ({ setting, found: session.settings[index] ?? '' }));
  const wrong = found.filter((it) => !it.setting.fits(it.found));
  if ((session.schemas ?? '') !== (session.is_there ? schema : '')) {
    wrong.push({ setting: exactly('search_path', `"${schema}"`), found: session.schemas ?? '' });
  }
  return { session, wrong };
}

/**
 * Gives a session the settings that our SQL relies on. It sets them itself in a session of its own. Behind a pooler
 * that lends a session for one transaction, it sets nothing, since others would get it, or a later transaction would
 * lack it: there the role has the settings. Throws `DatabaseSettingsError` where it has not.
 */
async function prepareSession(client: pg.ClientBase, target: SessionTarget): Promise<void> {
  const { session, wrong } = await readSession(client, target);
  const ownSchema = firstSchema(session.own_path);
  if (!target.isSchemaNamed && ownSchema !== null && ownSchema !== target.schema) {
    throw new DatabaseSettingsError(
      `The role ${session.role} or its database has search_path = ${session.own_path}, and the address of the database names no schema. ` +
        `Name the one that is meant: ?schema=${ownSchema}, or ?schema=public.`,
    );
  }
  const isPooled = isBehindPooler(client, session.process_id);
  if (isPooled) {
    if (target.isDirect) {
      throw new DatabaseSettingsError(
        'Migrations need a connection to Postgres itself, and this address leads to a connection pooler. Set MIGRATE_DATABASE_URL to the address of Postgres.',
      );
    }
    if (!(await keepsStatements(client))) sendUnnamed(client);
  } else if (wrong.length > 0) {
    // In this order, also where they leave in one round trip.
    const [, now] = await Promise.all([setAll(client, wrong), readSession(client, target)]);
    wrong.splice(0, wrong.length, ...now.wrong);
  }
  if (wrong.length > 0) throw new DatabaseSettingsError(explain(wrong, session, isPooled));
}

/** A pooler has its own process ids for its clients. */
function isBehindPooler(client: pg.ClientBase, processId: number): boolean {
  // The driver has it from the first messages of the connection; its types do not say so.
  return Reflect.get(client, 'processID') !== processId;
}

async function setAll(client: pg.ClientBase, wrong: readonly { setting: Setting }[]): Promise<void> {
  const settable = wrong.filter(({ setting }) => !EXPECTED.includes(setting));
  await client.query(
    'SELECT set_config(name, value, false) FROM unnest($1::text[], $2::text[]) AS given (name, value)',
    [settable.map(({ setting }) => setting.name), settable.map(({ setting }) => setting.value)],
  );
}

function explain(
  wrong: readonly { setting: Setting; found: string }[],
  { role, database }: Session,
  isPooled: boolean,
): string {
  const differences = wrong
    .map(
      ({ setting: { name, value }, found }) =>
        `${name} = ${JSON.stringify(found)} and not ${JSON.stringify(value)}`,
    )
    .join(', ');
  if (!isPooled) return `The database session has ${differences}, which Turnpike needs.`;
  const names = wrong.map(({ setting }) => setting);
  return (
    `The database is reached through a connection pooler, and its sessions have ${differences}, which Turnpike needs. ` +
    `The role must have these settings itself: turnpike migrate gives them to it where MIGRATE_DATABASE_URL is the address of Postgres itself; or run: ${alterRole({ role, database }, names)} ` +
    `Then let the pooler open new connections (PgBouncer: RECONNECT).`
  );
}

/** Statements that give a role these settings in one database. */
export function alterRole(
  { role, database }: { role: string; database: string },
  settings: readonly Setting[],
): string {
  const whose = `ALTER ROLE ${pg.escapeIdentifier(role)} IN DATABASE ${pg.escapeIdentifier(database)}`;
  return settings
    .map(({ name, value }) => {
      // The value of a search path is a list of names, which one string in quotes would make one name.
      const literal = name === 'search_path' ? value : pg.escapeLiteral(value);
      return `${whose} SET ${name} = ${literal};`;
    })
    .join(' ');
}

/** The first schema of a search path, without the default ones; null if there is none. */
export function firstSchema(searchPath: string | null): string | null {
  const parts = (searchPath ?? '').split(',').map((part) => part.trim().replaceAll('"', ''));
  return parts.find((part) => part !== '' && part !== '$user') ?? null;
}
