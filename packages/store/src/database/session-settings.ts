import { TerminalError } from '@turnpike/contract';
import type pg from 'pg';
import { z } from 'zod';

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
  /** The URL without the parameters that set what we set ourselves. */
  connectionString: string;
  /** For Postgres' `options`: those of the URL, then ours, which win. */
  options: string;
  /** The schema that holds all tables of this installation. */
  schema: string;
  /** The URL names the schema; otherwise it is `public` by default. */
  isSchemaNamed: boolean;
}

/** Parameters of a URL that would override what we set ourselves. */
const OURS = [
  'options',
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

interface Setting {
  name: string;
  /** The value that we set. */
  value: string;
  fits(value: string): boolean;
}

const exactly = (name: string, value: string): Setting => ({ name, value, fits: (it) => it === value });

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
 * Parses a URL. `more` are further settings, as `name=value`. Throws `DatabaseSettingsError` if the URL names
 * a schema in a way that is not supported.
 */
export function readSessionTarget(databaseUrl: string, more: readonly string[] = []): SessionTarget {
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
  const settings = [
    `search_path="${schema}"`,
    ...RELIED_ON.map(({ name, value }) => `${name}=${value.replaceAll(' ', '\\ ')}`),
    ...more,
  ];
  return {
    connectionString: url.href,
    // Postgres reads them in this order, and the last one of a name counts.
    options: [given, ...settings.map((setting) => `-c ${setting}`)].join(' ').trim(),
    schema,
    isSchemaNamed: named !== null,
  };
}

/** The configuration of a pool. Each session is checked before it is used. */
export function connectionTo(target: SessionTarget): pg.PoolConfig {
  // The driver waits for the returned promise; its types do not say so.
  const look: object = { onConnect: (client: pg.ClientBase) => checkSession(client, target) };
  return { connectionString: target.connectionString, options: target.options, ...look };
}

const names = [...RELIED_ON, ...EXPECTED].map(({ name }) => `current_setting('${name}')`);

/* The existing schemas of the search path, and the search path that the role or the database sets. */
const READ = `
SELECT ARRAY[${names.join(', ')}] AS settings, current_user::text AS role,
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
    role: z.string(),
    schemas: z.string().nullable(),
    is_there: z.boolean(),
    own_path: z.string().nullable(),
  }),
]);

/** Throws if a session's settings are not those that our SQL relies on: a pooler may drop startup options. */
async function checkSession(
  client: Pick<pg.ClientBase, 'query'>,
  { schema, isSchemaNamed }: Pick<SessionTarget, 'schema' | 'isSchemaNamed'>,
): Promise<void> {
  const { rows } = await client.query(READ, [schema]);
  const [session] = sessionSchema.parse(rows);
  for (const [index, { name, value, fits }] of [...RELIED_ON, ...EXPECTED].entries()) {
    const found = session.settings[index] ?? '';
    if (fits(found)) continue;
    throw new DatabaseSettingsError(
      `The database session has ${name} = ${JSON.stringify(found)}, and Turnpike needs ${JSON.stringify(value)}. ` +
        `It asks for that when it connects; a connection pooler that drops startup options does not pass it on. ` +
        `Connect to Postgres directly, or set it for the role: ALTER ROLE ${session.role} SET ${name} = '${value}'.`,
    );
  }
  if ((session.schemas ?? '') !== (session.is_there ? schema : '')) {
    throw new DatabaseSettingsError(
      `The database session has the search_path ${JSON.stringify(session.schemas ?? '')}, and Turnpike needs ${JSON.stringify(schema)} alone, ` +
        `the schema of its tables. A connection pooler that drops startup options does this, or a role that may not use that schema.`,
    );
  }
  const ownSchema = firstSchema(session.own_path);
  if (!isSchemaNamed && ownSchema !== null && ownSchema !== schema) {
    throw new DatabaseSettingsError(
      `The role ${session.role} or its database has search_path = ${session.own_path}, and the address of the database names no schema. ` +
        `Name the one that is meant: ?schema=${ownSchema}, or ?schema=public.`,
    );
  }
}

/** The first schema of a search path, without the default ones; null if there is none. */
function firstSchema(searchPath: string | null): string | null {
  const parts = (searchPath ?? '').split(',').map((part) => part.trim().replaceAll('"', ''));
  return parts.find((part) => part !== '' && part !== '$user') ?? null;
}
