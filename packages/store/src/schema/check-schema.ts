import pg from 'pg';
import { z } from 'zod';
import { compareFunctions } from './function-files.ts';
import { migrate } from './migrate.ts';
import { NO_FILTERS, readSchema, withSchemaEngine } from './schema-engine.ts';
import type { SchemaProblem } from './schema-problem.ts';
import { compareSnapshot, writeSnapshot } from './schema-snapshot.ts';
import { withClient, withScratchDatabase } from './scratch-database.ts';

/** The repository's folders `prisma/` and `packages/store/sql/`. */
export interface SchemaFolders {
  prisma: string;
  sql: string;
}

/**
 * Compares what the migrations make with `schema.prisma`, with the functions in `sql/functions` and with the snapshot
 * `sql/schema.sql`, in databases that it creates on this server and drops (the role must be allowed to). Returns what
 * differs; empty if all agree. What Prisma's schema language cannot say (partial indexes, checks, triggers) is
 * compared by the snapshot alone.
 */
export async function findSchemaProblems(
  databaseUrl: string,
  folders: SchemaFolders,
): Promise<SchemaProblem[]> {
  const { migrated, problems } = await withMigrated(databaseUrl, folders, async (client) => {
    const functions = await compareFunctions(client, folders.sql);
    const snapshot = await compareSnapshot(client, folders.sql);
    return { migrated: await describe(client), problems: [...functions, ...(snapshot ? [snapshot] : [])] };
  });
  const declared = await withScratchDatabase(databaseUrl, async (url) => {
    const script = await scriptOf(url, folders.prisma);
    return withClient(url, async (client) => {
      await client.query(script);
      return describe(client);
    });
  });
  const lines = [
    ...migrated.filter((line) => !declared.includes(line)).map((line) => `- ${line}`),
    ...declared.filter((line) => !migrated.includes(line)).map((line) => `+ ${line}`),
  ];
  if (lines.length === 0) return problems;
  const drift = {
    title: 'The migrations (-) and prisma/schema.prisma (+) differ:',
    lines,
    remedy: 'Add a migration for what schema.prisma adds, or correct schema.prisma.',
  };
  return [drift, ...problems];
}

/** Writes `sql/schema.sql` anew from the migrations. Returns its path, relative to the repository. */
export function writeSchemaSnapshot(databaseUrl: string, folders: SchemaFolders): Promise<string> {
  return withMigrated(databaseUrl, folders, (client) => writeSnapshot(client, folders.sql));
}

function withMigrated<Result>(
  databaseUrl: string,
  folders: SchemaFolders,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  return withScratchDatabase(databaseUrl, async (url) => {
    await migrate(url, folders.prisma);
    return withClient(url, work);
  });
}

async function scriptOf(databaseUrl: string, folder: string): Promise<string> {
  const file = await readSchema(folder);
  const pool = new pg.Pool({ connectionString: databaseUrl, connectionTimeoutMillis: 5_000 });
  try {
    return await withSchemaEngine(pool, { schema: 'public', file }, async (engine) => {
      const script = await engine.diff({
        from: { tag: 'empty' },
        to: { tag: 'schemaDatamodel', files: [file] },
        script: true,
        exitCode: false,
        filters: NO_FILTERS,
      });
      return script.stdout ?? '';
    });
  } finally {
    await pool.end();
  }
}

const CATALOGUE = `
SELECT format('column %s.%s %s%s%s', table_name, column_name, udt_name,
              CASE is_nullable WHEN 'NO' THEN ' not null' ELSE '' END,
              coalesce(' default ' || column_default, '')) AS line
FROM information_schema.columns
WHERE table_schema = 'public' AND table_name <> '_prisma_migrations'
UNION ALL
SELECT format('constraint %s %s on %s', conname, pg_get_constraintdef(oid), conrelid::regclass)
FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'u', 'f')
  AND conrelid <> coalesce(to_regclass('_prisma_migrations'), 0)
UNION ALL
SELECT format('index %s', pg_get_indexdef(indexrelid))
FROM pg_index JOIN pg_class ON pg_class.oid = pg_index.indrelid
WHERE pg_class.relnamespace = 'public'::regnamespace AND pg_class.relname <> '_prisma_migrations'
  AND pg_index.indpred IS NULL
ORDER BY line`;

const lineSchema = z.object({ line: z.string() });

async function describe(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query(CATALOGUE);
  return rows.map((row) => lineSchema.parse(row).line);
}
