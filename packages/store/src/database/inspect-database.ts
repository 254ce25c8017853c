import { z } from 'zod';
import type { Database } from './database.ts';
import { query } from './sql.ts';

const LIMIT_MS = 5_000;

/** Nobody changes its rows: a trigger refuses it (`refuse_audit_change`). */
const INSERTED_ONLY = 'audit_entries';
/** Only the API needs it: workers may have no rights there. */
const OF_THE_API = 'api_keys';

const factsSchema = z.object({
  version: z.string(),
  versionNumber: z.int(),
  isStandby: z.boolean(),
  fsync: z.string(),
  fullPageWrites: z.string(),
  synchronousCommit: z.string(),
  autovacuum: z.string(),
  connections: z.int(),
  maxConnections: z.int(),
  /** Milliseconds since 1970, by the server's clock. */
  clock: z.number(),
  role: z.string(),
  isSuperuser: z.boolean(),
  /** May make tables in the schema: only whoever migrates needs that. */
  mayCreate: z.boolean(),
  /** Tables that the role may not read or write as the service must. */
  forbidden: z.array(z.string()),
  invalidIndexes: z.array(z.string()),
  /** Constraints that were added without a look at the rows that were there. */
  unvalidated: z.array(z.string()),
  /** Tables that autovacuum has not kept up with: more dead rows than live ones, and many. */
  bloated: z.array(z.string()),
});
/** What a database and its role are like. */
export type DatabaseFacts = z.infer<typeof factsSchema>;

const INSPECT = {
  name: 'inspect-database',
  text: `
WITH tables AS (
  SELECT pg_class.oid, relname::text AS name FROM pg_class
  WHERE relnamespace = to_regnamespace(quote_ident($1)) AND relkind IN ('r', 'p') AND relname <> '_prisma_migrations'
)
SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS "versionNumber",
  pg_is_in_recovery() AS "isStandby", current_setting('fsync') AS fsync,
  current_setting('full_page_writes') AS "fullPageWrites", current_setting('synchronous_commit') AS "synchronousCommit",
  current_setting('autovacuum') AS autovacuum,
  (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
  current_setting('max_connections')::int AS "maxConnections",
  (extract(epoch FROM clock_timestamp()) * 1000)::double precision AS clock,
  current_user::text AS role, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS "isSuperuser",
  coalesce(has_schema_privilege(to_regnamespace(quote_ident($1)), 'CREATE'), false) AS "mayCreate",
  ARRAY(SELECT name FROM tables WHERE name <> '${OF_THE_API}' AND NOT (
      has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT') AND has_table_privilege(oid, 'DELETE')
      AND (name = '${INSERTED_ONLY}' OR has_table_privilege(oid, 'UPDATE'))
    ) ORDER BY name) AS forbidden,
  ARRAY(SELECT indexrelid::regclass::text FROM pg_index JOIN tables ON tables.oid = indrelid
        WHERE NOT indisvalid OR NOT indisready ORDER BY 1) AS "invalidIndexes",
  ARRAY(SELECT conname::text FROM pg_constraint JOIN tables ON tables.oid = conrelid
        WHERE NOT convalidated ORDER BY 1) AS unvalidated,
  ARRAY(SELECT relname::text FROM pg_stat_user_tables JOIN tables ON tables.oid = relid
        WHERE n_dead_tup > greatest(n_live_tup, 100000) ORDER BY 1) AS bloated`,
  row: factsSchema,
};

/** Looks at a database that responds. Changes nothing. */
export async function inspectDatabase({ pool, schema }: Database): Promise<DatabaseFacts> {
  const [facts] = await query(pool, INSPECT, [schema], LIMIT_MS);
  if (facts === undefined) throw new Error('A select of settings returned no row.');
  return facts;
}
