import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { z } from 'zod';
import { migrate } from './migrate.ts';
import { NO_FILTERS, readSchema, withSchemaEngine } from './schema-engine.ts';

/**
 * Compares what the migrations make with what `schema.prisma` says, in two databases that
 * come and go on this server (the role must be allowed to create them). Returns one line a
 * difference, prefixed with `-` where only the migrations have it and `+` where only the
 * schema has it; empty where they agree. What the schema language cannot say (partial
 * indexes, checks, functions) is not compared.
 */
export async function findSchemaDrift(databaseUrl: string, folder: string): Promise<string[]> {
  const migrated = await withScratchDatabase(databaseUrl, async (url) => {
    await migrate(url, folder);
    return describe(url);
  });
  const declared = await withScratchDatabase(databaseUrl, async (url) => {
    const script = await scriptOf(url, folder);
    await withClient(url, (client) => client.query(script));
    return describe(url);
  });
  return [
    ...migrated.filter((line) => !declared.includes(line)).map((line) => `- ${line}`),
    ...declared.filter((line) => !migrated.includes(line)).map((line) => `+ ${line}`),
  ];
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

async function describe(databaseUrl: string): Promise<string[]> {
  const answer = await withClient(databaseUrl, (client) => client.query(CATALOGUE));
  return answer.rows.map((row) => lineSchema.parse(row).line);
}

async function withScratchDatabase<Result>(
  databaseUrl: string,
  work: (url: string) => Promise<Result>,
): Promise<Result> {
  const name = `turnpike_check_${randomUUID().replaceAll('-', '')}`;
  const url = new URL(databaseUrl);
  url.pathname = `/${name}`;
  url.searchParams.delete('schema');
  await withClient(databaseUrl, (client) => client.query(`CREATE DATABASE ${name}`));
  try {
    return await work(url.href);
  } finally {
    await withClient(databaseUrl, (client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`));
  }
}

async function withClient<Result>(
  url: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
