import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type pg from 'pg';
import { z } from 'zod';
import type { SchemaProblem } from './schema-problem.ts';
import { normaliseSql } from './normalise-sql.ts';

const shown = (name: string): string => `packages/store/sql/functions/${name}.sql`;

/* The definition as Postgres prints it; `signature` is that without the body. Overloads are not used. */
const FUNCTIONS = `
SELECT proname AS name, replace(pg_get_functiondef(oid), $1 || '.', '') AS definition,
  replace(replace(pg_get_functiondef(oid), prosrc, ''), $1 || '.', '') AS signature, prosrc AS body
FROM pg_proc WHERE pronamespace = $1::regnamespace ORDER BY proname COLLATE "C"`;

const functionSchema = z.object({
  name: z.string(),
  definition: z.string(),
  signature: z.string(),
  body: z.string(),
});
type SqlFunction = z.infer<typeof functionSchema>;

/**
 * Compares `functions/*.sql` in the folder `sql` with the functions of a migrated database. Comments and white space
 * are ignored. Runs the files in a schema of their own, in a transaction that is rolled back.
 */
export async function compareFunctions(client: pg.Client, sqlFolder: string): Promise<SchemaProblem[]> {
  const migrated = await readFunctions(client, 'public');
  const names = (await readdir(join(sqlFolder, 'functions')))
    .map((file) => file.replace(/\.sql$/, ''))
    .toSorted();
  const problems: SchemaProblem[] = [];
  for (const name of names) {
    const text = await readFile(join(sqlFolder, 'functions', `${name}.sql`), 'utf8');
    const problem = compareOne(name, await runFile(client, text), migrated.get(name));
    if (problem !== null) problems.push(problem);
  }
  for (const [name, { definition }] of migrated) {
    if (names.includes(name)) continue;
    problems.push({
      title: `The migrations make the function ${name}, and ${shown(name)} does not exist.`,
      lines: definition.trim().split('\n'),
      remedy: `Write the file: this definition, with a comment above it that says what the function keeps true.`,
    });
  }
  return problems;
}

function compareOne(
  name: string,
  made: SqlFunction[] | Error,
  migrated: SqlFunction | undefined,
): SchemaProblem | null {
  if (made instanceof Error) {
    return {
      title: `${shown(name)} cannot be run: ${made.message}.`,
      lines: [],
      remedy: 'Correct the file.',
    };
  }
  const [inFile, ...more] = made;
  if (inFile === undefined || more.length > 0 || inFile.name !== name) {
    const found = made.map((each) => each.name).join(', ') || 'none';
    return {
      title: `${shown(name)} must make one function, ${name}. It makes: ${found}.`,
      lines: [],
      remedy: 'One function per file, named after it.',
    };
  }
  if (migrated === undefined) {
    return {
      title: `${shown(name)} makes a function that no migration makes.`,
      lines: [],
      remedy: 'Add a migration that runs the file, or delete the file.',
    };
  }
  if (inFile.signature === migrated.signature && normaliseSql(inFile.body) === normaliseSql(migrated.body))
    return null;
  return {
    title: `${shown(name)} is not the function that the migrations make, which is:`,
    lines: migrated.definition.trim().split('\n'),
    remedy:
      'If the file is right, add a migration that runs it. If the migrations are right, correct the file.',
  };
}

/** The functions that this text makes, or what Postgres says of it. */
async function runFile(client: pg.Client, text: string): Promise<SqlFunction[] | Error> {
  try {
    await client.query(
      'BEGIN; CREATE SCHEMA from_file; SET LOCAL search_path = from_file, public; SET LOCAL check_function_bodies = off',
    );
    await client.query(text);
    return [...(await readFunctions(client, 'from_file')).values()];
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  } finally {
    await client.query('ROLLBACK');
  }
}

async function readFunctions(client: pg.Client, schema: string): Promise<Map<string, SqlFunction>> {
  const { rows } = await client.query(FUNCTIONS, [schema]);
  return new Map(rows.map((row) => functionSchema.parse(row)).map((each) => [each.name, each]));
}
