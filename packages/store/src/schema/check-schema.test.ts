import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { findSchemaProblems, writeSchemaSnapshot, type SchemaFolders } from './check-schema.ts';

const REPOSITORY = fileURLToPath(new URL('../../../../', import.meta.url));
const SERVER = process.env['TEST_DATABASE_URL'] ?? '';

let copy: string;
let folders: SchemaFolders;
beforeEach(async () => {
  copy = await mkdtemp(join(tmpdir(), 'turnpike-check-schema-'));
  folders = { prisma: join(copy, 'prisma'), sql: join(copy, 'sql') };
  await cp(join(REPOSITORY, 'prisma'), folders.prisma, { recursive: true });
  await cp(join(REPOSITORY, 'packages/store/sql'), folders.sql, { recursive: true });
});
afterEach(() => rm(copy, { recursive: true }));

async function edit(path: string, change: (text: string) => string): Promise<void> {
  const file = join(copy, path);
  await writeFile(file, change(await readFile(file, 'utf8')));
}

test('function files that differ from the migrations in more than comments and line breaks are reported, with what to do', async () => {
  await edit('sql/functions/turnpike_close_turn.sql', (text) =>
    text.replaceAll(/^( +--.*|BEGIN)$/gm, '$1\n\n-- Another comment.'),
  );
  await edit('sql/functions/turnpike_dispatch_by_pool.sql', (text) =>
    text.replace("interval '30 seconds'", "interval '30  seconds'"),
  );
  await edit('sql/functions/turnpike_period_start.sql', (text) => text.replace('STABLE', 'VOLATILE'));
  await edit('sql/functions/turnpike_new_id.sql', (text) =>
    text.replaceAll('turnpike_new_id', 'turnpike_make_id'),
  );
  await edit('sql/functions/turnpike_reserve.sql', (text) => text.replace('RETURNS text', 'RETURNS'));
  await rm(join(copy, 'sql/functions/turnpike_announce.sql'));
  await writeFile(
    join(copy, 'sql/functions/turnpike_more.sql'),
    'CREATE FUNCTION turnpike_more() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;',
  );
  const problems = await findSchemaProblems(SERVER, folders);
  expect(problems.map(({ title, remedy }) => `${title} ${remedy}`)).toEqual([
    'packages/store/sql/functions/turnpike_dispatch_by_pool.sql is not the function that the migrations make, which is: If the file is right, add a migration that runs it. If the migrations are right, correct the file.',
    'packages/store/sql/functions/turnpike_more.sql makes a function that no migration makes. Add a migration that runs the file, or delete the file.',
    'packages/store/sql/functions/turnpike_new_id.sql must make one function, turnpike_new_id. It makes: turnpike_make_id. One function per file, named after it.',
    'packages/store/sql/functions/turnpike_period_start.sql is not the function that the migrations make, which is: If the file is right, add a migration that runs it. If the migrations are right, correct the file.',
    expect.stringMatching(/turnpike_reserve\.sql cannot be run: syntax error .+ Correct the file\.$/),
    'The migrations make the function turnpike_announce, and packages/store/sql/functions/turnpike_announce.sql does not exist. Write the file: this definition, with a comment above it that says what the function keeps true.',
  ]);
  expect(problems[0]?.lines.join('\n')).toContain("interval '30 seconds'");
});

test('a migration changes the function file and the snapshot with it, and schema:write writes the snapshot', async () => {
  const migration = join(copy, 'prisma/migrations/29990101000000_more');
  await cp(join(copy, 'prisma/migrations/20261126060000_traceparent'), migration, { recursive: true });
  await writeFile(
    join(migration, 'migration.sql'),
    `ALTER TABLE workers ADD COLUMN more text;
     CREATE INDEX workers_more ON workers (more) WHERE more IS NOT NULL;
     CREATE OR REPLACE FUNCTION turnpike_period_start(period text) RETURNS date LANGUAGE sql STABLE AS $$ SELECT '2000-01-01'::date $$;`,
  );
  expect(await findSchemaProblems(SERVER, folders)).toMatchObject([
    {
      title: 'The migrations (-) and prisma/schema.prisma (+) differ:',
      lines: ['- column workers.more text'],
    },
    { title: expect.stringContaining('turnpike_period_start.sql is not the function') },
    {
      title: expect.stringMatching(/^packages\/store\/sql\/schema\.sql is not the schema .+, in line \d+:$/),
      lines: ['file:       CONSTRAINT workers_pkey PRIMARY KEY (id)', 'migrations: more text,'],
      remedy: 'Run `npm run schema:write` and commit the file with the migration.',
    },
  ]);
  expect(await writeSchemaSnapshot(SERVER, folders)).toBe('packages/store/sql/schema.sql');
  expect(await readFile(join(folders.sql, 'schema.sql'), 'utf8')).toContain(
    'CREATE INDEX workers_more ON workers USING btree (more) WHERE (more IS NOT NULL);',
  );
});
