import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { z } from 'zod';
import type { SchemaProblem } from './schema-problem.ts';

const FILE = 'schema.sql';
const SHOWN = `packages/store/sql/${FILE}`;

const HEADER = `-- The schema that the migrations make: for reading, and for seeing in a review what a migration changes.
-- Written by \`npm run schema:write\`, compared by \`npm run schema:check\`. Functions: functions/*.sql.
`;

/*
 * One row per table, in parts. Everything comes from Postgres' own printers (pg_get_constraintdef and the like), which
 * print the same on every version that is supported. Not-null constraints, which Postgres 18 stores as constraints,
 * are printed with their columns.
 */
const TABLES = `
SELECT relname AS name, coalesce(' WITH (' || array_to_string(reloptions, ', ') || ')', '') AS options,
  ARRAY(
    SELECT format('%s %s%s%s', quote_ident(attname), replace(format_type(atttypid, atttypmod), 'timestamp(3) with time zone', 'timestamptz(3)'),
      CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END, coalesce(' DEFAULT ' || pg_get_expr(adbin, adrelid), ''))
    FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE attrelid = tables.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum
  ) || ARRAY(
    SELECT format('CONSTRAINT %s %s', quote_ident(conname), pg_get_constraintdef(oid))
    FROM pg_constraint WHERE conrelid = tables.oid AND contype IN ('p', 'u', 'f', 'c', 'x')
    ORDER BY array_position('{p,u,f,c,x}', contype::text), conname COLLATE "C"
  ) AS parts,
  ARRAY(
    SELECT replace(pg_get_indexdef(indexrelid), ' ON public.', ' ON ')
    FROM pg_index JOIN pg_class AS indexes ON indexes.oid = indexrelid
    WHERE indrelid = tables.oid AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u', 'x'))
    ORDER BY indexes.relname COLLATE "C"
  ) || ARRAY(
    SELECT pg_get_triggerdef(oid, true) FROM pg_trigger
    WHERE tgrelid = tables.oid AND NOT tgisinternal ORDER BY tgname COLLATE "C"
  ) AS statements
FROM pg_class AS tables
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname <> '_prisma_migrations'
ORDER BY relname COLLATE "C"`;

/* What the snapshot does not show, so that no migration adds it unseen. */
const OTHERS = `
SELECT format('%s (%s)', relname, CASE relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' ELSE 'relkind ' || relkind::text END) AS name
FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind NOT IN ('r', 'p', 'i', 'I', 't')
UNION ALL
SELECT format('%s (type)', typname) FROM pg_type
WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd', 'r')
ORDER BY name`;

const tablesSchema = z.array(
  z.object({
    name: z.string(),
    options: z.string(),
    parts: z.array(z.string()),
    statements: z.array(z.string()),
  }),
);
const othersSchema = z.array(z.object({ name: z.string() }));

/**
 * The tables of a migrated database as SQL, the same text for the same schema: columns in their order, constraints,
 * indexes, triggers. Throws for an object of a kind that it does not print (a view, an enum, a sequence).
 */
async function describeSchema(client: pg.Client): Promise<string> {
  const others = othersSchema.parse((await client.query(OTHERS)).rows);
  if (others.length > 0) {
    const names = others.map(({ name }) => name).join(', ');
    throw new Error(`The schema snapshot does not print ${names}: extend schema-snapshot.ts first.`);
  }
  const tables = tablesSchema.parse((await client.query(TABLES)).rows);
  const blocks = tables.map(({ name, options, parts, statements }) => {
    const table = `CREATE TABLE ${name} (\n${parts.map((part) => `  ${part}`).join(',\n')}\n)${options}`;
    return [table, ...statements].map((statement) => `${statement};\n`).join('');
  });
  return [HEADER, ...blocks].join('\n');
}

/** Writes the snapshot into the folder `sql`. Returns the path, relative to the repository. */
export async function writeSnapshot(client: pg.Client, sqlFolder: string): Promise<string> {
  await writeFile(join(sqlFolder, FILE), await describeSchema(client));
  return SHOWN;
}

/** Compares the snapshot in the folder `sql` with a migrated database. Null if they agree. */
export async function compareSnapshot(client: pg.Client, sqlFolder: string): Promise<SchemaProblem | null> {
  const migrated = await describeSchema(client);
  const kept = await readFile(join(sqlFolder, FILE), 'utf8').catch(() => '');
  if (kept === migrated) return null;
  const keptLines = kept.split('\n');
  const migratedLines = migrated.split('\n');
  const index = migratedLines.findIndex((line, at) => line !== keptLines[at]);
  return {
    title: `${SHOWN} is not the schema that the migrations make. First difference, in line ${index + 1}:`,
    lines: [
      `file:       ${(keptLines[index] ?? '').trim()}`,
      `migrations: ${(migratedLines[index] ?? '').trim()}`,
    ],
    remedy: `Run \`npm run schema:write\` and commit the file with the migration.`,
  };
}
