import { TerminalError } from '@turnpike/contract';
import type pg from 'pg';
import { z } from 'zod';

/** The migrating role lacks a right. */
class MigrationForbiddenError extends TerminalError {
  constructor(message: string) {
    super('migration_forbidden', message);
  }
}

/* The rights of the role, and the owner of the tables that it would change. */
const RIGHTS = `
SELECT current_user::text AS role, current_database()::text AS database, to_regnamespace(quote_ident($1)) IS NOT NULL AS is_there,
       has_database_privilege(current_database(), 'CREATE') AS may_make_schema,
       coalesce(has_schema_privilege(to_regnamespace(quote_ident($1))::oid, 'CREATE'), false) AS may_make_tables,
       (SELECT min(pg_get_userbyid(relowner)) FROM pg_class
        WHERE relnamespace = to_regnamespace(quote_ident($1)) AND relkind = 'r' AND relname = 'turns'
          AND NOT pg_has_role(relowner, 'USAGE')) AS owner`;

const rightsSchema = z.tuple([
  z.object({
    role: z.string(),
    database: z.string(),
    is_there: z.boolean(),
    may_make_schema: z.boolean(),
    may_make_tables: z.boolean(),
    owner: z.string().nullable(),
  }),
]);

/**
 * Creates the schema if it does not exist. Throws `MigrationForbiddenError` if the role cannot migrate it.
 */
export async function prepareSchema(pool: pg.Pool, schema: string): Promise<void> {
  const { rows } = await pool.query(RIGHTS, [schema]);
  const [rights] = rightsSchema.parse(rows);
  const { role, database, is_there: isThere, may_make_schema: mayMakeSchema, owner } = rights;
  const instead = 'or name a role that may in MIGRATE_DATABASE_URL.';
  if (!isThere && !mayMakeSchema) {
    throw new MigrationForbiddenError(
      `The role ${role} may not make the schema ${schema} in the database ${database}. ` +
        `Make it: CREATE SCHEMA "${schema}" AUTHORIZATION "${role}"; ${instead}`,
    );
  }
  if (!isThere) await pool.query(`CREATE SCHEMA IF NOT EXISTS "${schema}"`);
  else if (!rights.may_make_tables) {
    throw new MigrationForbiddenError(
      `The role ${role} may not make tables in the schema ${schema} of the database ${database}. ` +
        `Let it: GRANT USAGE, CREATE ON SCHEMA "${schema}" TO "${role}"; ${instead}`,
    );
  }
  if (owner !== null) {
    throw new MigrationForbiddenError(
      `The tables in the schema ${schema} belong to the role ${owner}, and ${role} may not change them. Migrate as ${owner}: name it in MIGRATE_DATABASE_URL.`,
    );
  }
}
