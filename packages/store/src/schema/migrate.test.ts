import { randomUUID } from 'node:crypto';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import pg from 'pg';
import { untilTrue } from '../../../../tests/support/until-true.ts';
import { checkDatabase } from '../database/check-database.ts';
import { openDatabase } from '../database/database.ts';
import { migrate } from './migrate.ts';
import { migrationNames } from './migration-state.ts';

const PRISMA_FOLDER = fileURLToPath(new URL('../../../../prisma', import.meta.url));
const ENGINE_LOCK = 72_707_369;

let server: pg.Pool;
let url: URL;
let role: string;
beforeAll(() => {
  server = new pg.Pool({ connectionString: process.env['TEST_DATABASE_URL'], max: 2 });
});
afterAll(() => server.end());
beforeEach(async () => {
  role = `r_${randomUUID().replaceAll('-', '')}`;
  url = new URL(process.env['TEST_DATABASE_URL'] ?? '');
  url.pathname = `/${role}`;
  await server.query(`CREATE DATABASE ${role}`);
  await server.query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
});
afterEach(async () => {
  await server.query(`DROP DATABASE ${role} WITH (FORCE)`);
  await server.query(`DROP ROLE ${role}`);
});

/** The database's URL with a role without any rights. */
function asStranger(schema?: string): string {
  const address = new URL(url);
  address.username = role;
  address.password = 'secret';
  if (schema !== undefined) address.searchParams.set('schema', schema);
  return address.href;
}

async function inDatabase<Result>(work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString: url.href, application_name: 'a deploy of before' });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

test('a lock that another process holds is waited for, and the error names the holder and how to end it', async () => {
  await inDatabase(async (holder) => {
    // A lock that an engine left behind in the session of a pooler.
    await holder.query(`SELECT pg_advisory_lock(${ENGINE_LOCK})`);
    const { rows } = await holder.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const pid = rows[0]?.pid;
    const told: string[] = [];
    const onWait = (sentence: string): void => void told.push(sentence);
    await expect(migrate(url.href, PRISMA_FOLDER, { lockTimeoutMs: 200, onWait })).rejects.toThrow(
      new RegExp(
        `waited 0.2 s .+ process ${pid} \\(application a deploy of before, role postgres, .+ since 20.+pg_terminate_backend\\(${pid}\\)`,
      ),
    );
    expect(told).toEqual([expect.stringContaining(`process ${pid}`)]);
  });
  expect(await migrate(url.href, PRISMA_FOLDER)).toEqual(await migrationNames(PRISMA_FOLDER));
});

test('concurrent migrations run one after another, and leave no session lock behind', async () => {
  let locks = 0;
  let isOver = false;
  const runs = Promise.all([1, 2, 3].map(() => migrate(url.href, PRISMA_FOLDER))).finally(
    () => (isOver = true),
  );
  await inDatabase((client) =>
    untilTrue('all ended', async () => {
      const { rows } = await client.query<{ count: number }>(
        `SELECT count(*)::int AS count FROM pg_locks JOIN pg_stat_activity USING (pid)
         WHERE locktype = 'advisory' AND granted AND objid = ${ENGINE_LOCK} AND datname = current_database()`,
      );
      locks = Math.max(locks, rows[0]?.count ?? 0);
      return isOver;
    }),
  );
  const applied = await runs;
  expect(applied.flat()).toEqual(await migrationNames(PRISMA_FOLDER));
  expect(locks).toBe(1);
});

test('a role that may not create tables gets an error with the grant that it needs', async () => {
  await inDatabase((client) => client.query('REVOKE CREATE ON SCHEMA public FROM PUBLIC'));
  await expect(migrate(asStranger(), PRISMA_FOLDER)).rejects.toThrow(
    `The role ${role} may not make tables in the schema public of the database ${role}. ` +
      `Let it: GRANT USAGE, CREATE ON SCHEMA "public" TO "${role}"; or name a role that may in MIGRATE_DATABASE_URL.`,
  );
  await expect(migrate(asStranger('elsewhere'), PRISMA_FOLDER)).rejects.toThrow(
    /may not make the schema elsewhere .+ CREATE SCHEMA "elsewhere" AUTHORIZATION/,
  );
  // A schema that another role made for it is enough.
  await inDatabase((client) => client.query(`CREATE SCHEMA elsewhere AUTHORIZATION ${role}`));
  expect(await migrate(asStranger('elsewhere'), PRISMA_FOLDER)).toHaveLength(
    (await migrationNames(PRISMA_FOLDER)).length,
  );
});

test('a role that does not own the tables migrates nothing, or gets an error that names the owner', async () => {
  await migrate(url.href, PRISMA_FOLDER);
  await inDatabase(async (client) => {
    await client.query(`GRANT CREATE, USAGE ON SCHEMA public TO ${role}`);
    await client.query(`GRANT SELECT ON _prisma_migrations TO ${role}`);
  });
  expect(await migrate(asStranger(), PRISMA_FOLDER)).toEqual([]);
  await withOneMore('SELECT 1;', async (folder) => {
    await expect(migrate(asStranger(), folder)).rejects.toThrow(
      `The tables in the schema public belong to the role postgres, and ${role} may not change them.`,
    );
  });
});

test('a role that may not read the tables is not ready, and the error names the grant', async () => {
  await migrate(url.href, PRISMA_FOLDER);
  const database = openDatabase({
    url: asStranger(),
    poolSize: 1,
    applicationName: 'test',
    onError: () => undefined,
  });
  try {
    const names = await migrationNames(PRISMA_FOLDER);
    await expect(checkDatabase(database, names)).rejects.toThrow(/grant it USAGE on the schema, and SELECT/);
    await inDatabase((client) => client.query(`GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${role}`));
    await checkDatabase(database, names);
  } finally {
    await database.close();
  }
});

test('two installations share a database, each in its own schema', async () => {
  const names = await migrationNames(PRISMA_FOLDER);
  const beside = new URL(url);
  beside.searchParams.set('schema', 'Beside');
  expect(await migrate(url.href, PRISMA_FOLDER)).toEqual(names);
  expect(await migrate(beside.href, PRISMA_FOLDER)).toEqual(names);
  expect(await migrate(beside.href, PRISMA_FOLDER)).toEqual([]);
  const things = await inDatabase((client) => client.query<{ schema: string; count: number }>(EVERYTHING));
  const [one, other] = things.rows;
  expect(things.rows).toHaveLength(2);
  expect(one?.count).toBe(other?.count);
});

const EVERYTHING = `
SELECT nspname AS schema, (SELECT count(*) FROM pg_class WHERE relnamespace = n.oid)::int
     + (SELECT count(*) FROM pg_proc WHERE pronamespace = n.oid)::int
     + (SELECT count(*) FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
        WHERE relnamespace = n.oid AND tgfoid IN (SELECT oid FROM pg_proc WHERE pronamespace = n.oid))::int AS count
FROM pg_namespace AS n WHERE nspname IN ('public', 'Beside')`;

test('a migration that fails changes nothing, and the next run tries it again', async () => {
  await migrate(url.href, PRISMA_FOLDER);
  await withOneMore('CREATE TABLE half (id int); SELECT 1 / 0;', async (folder) => {
    for (const _ of [1, 2]) {
      await expect(migrate(url.href, folder)).rejects.toThrow('29990101000000_more: division by zero');
    }
  });
  await withOneMore('CREATE TABLE half (id int);', async (folder) => {
    expect(await migrate(url.href, folder)).toEqual(['29990101000000_more']);
  });
});

test('a migration of a table that is read for long lets others read it in between, and is applied once that ends', async () => {
  await migrate(url.href, PRISMA_FOLDER);
  await inDatabase(async (reader) => {
    await reader.query('BEGIN');
    await reader.query('SELECT count(*) FROM turns');
    await withOneMore('ALTER TABLE turns ADD COLUMN more int;', async (folder) => {
      const told: string[] = [];
      const state = { isOver: false };
      const onWait = (sentence: string): void => void told.push(sentence);
      const migrating = migrate(url.href, folder, {
        tableLockMs: 50,
        pauseMs: 50,
        tries: 10_000,
        onWait,
      }).finally(() => (state.isOver = true));
      // A read that came while the migration waited is behind it, and is not for long.
      await inDatabase(async (other) => {
        for (let reads = 0; !state.isOver && (reads < 20 || told.length < 3); reads += 1)
          await other.query('SELECT count(*) FROM turns');
      });
      expect([state.isOver, told[0]]).toEqual([
        false,
        expect.stringContaining('did not become free in time'),
      ]);
      await reader.query('COMMIT');
      expect(await migrating).toEqual(['29990101000000_more']);
    });
    await withOneMore('ALTER TABLE turns DROP COLUMN more;', async (folder) => {
      await reader.query(`DELETE FROM _prisma_migrations WHERE migration_name = '29990101000000_more'`);
      await reader.query('BEGIN');
      await reader.query('SELECT count(*) FROM turns');
      await expect(migrate(url.href, folder, { tableLockMs: 20, pauseMs: 10, tries: 3 })).rejects.toThrow(
        /29990101000000_more: a lock on a table did not become free in time, and nothing was changed\. The oldest/,
      );
      await reader.query('COMMIT');
    });
  });
});

test('an index is built while its table is written to, and again where that was interrupted', async () => {
  await migrate(url.href, PRISMA_FOLDER);
  const script = `-- Each statement by itself.
DROP INDEX CONCURRENTLY IF EXISTS later;
-- Of every turn.
CREATE INDEX CONCURRENTLY later ON turns (created_at);
`;
  await inDatabase(async (client) => {
    // What an interrupted build leaves.
    await client.query('CREATE INDEX later ON turns (created_at)');
    await client.query(`UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'later'::regclass`);
    await withOneMore(script, async (folder) => {
      expect(await migrate(url.href, folder)).toEqual(['29990101000000_more']);
    });
    const { rows } = await client.query(
      `SELECT indisvalid FROM pg_index WHERE indexrelid = 'later'::regclass`,
    );
    expect(rows).toEqual([{ indisvalid: true }]);
  });
});

/** All existing migrations, and this one. */
async function withOneMore(script: string, work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'turnpike-test-migrations-'));
  try {
    await cp(PRISMA_FOLDER, folder, { recursive: true });
    await mkdir(join(folder, 'migrations/29990101000000_more'));
    await writeFile(join(folder, 'migrations/29990101000000_more/migration.sql'), script);
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
