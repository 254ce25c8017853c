import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { migrate, openDatabase, type Database } from '@turnpike/store';

export const PRISMA_FOLDER = fileURLToPath(new URL('../../prisma', import.meta.url));

/** Migrated once on each server; every other database is a copy of it, which takes a tenth of the time. */
const TEMPLATE = 'turnpike_template';

/** Any number: the lock that the template is made under, by whichever test file comes first. */
const TEMPLATE_LOCK = 4_712;

/** A new database with every migration applied. */
export async function createTestDatabase(
  server = process.env['TEST_DATABASE_URL'],
): Promise<{ url: string; drop(): Promise<void> }> {
  if (server === undefined) throw new Error('TEST_DATABASE_URL is not set.');
  const name = `t_${randomUUID().replaceAll('-', '')}`;
  await onServer(server, async (client) => {
    await ensureTemplate(client, server);
    await client.query(`CREATE DATABASE ${name} TEMPLATE ${TEMPLATE}`);
  });
  return {
    url: urlOf(server, name),
    drop: () =>
      onServer(server, async (client) => {
        await client.query(`DROP DATABASE ${name} WITH (FORCE)`);
      }),
  };
}

export interface TestDatabase extends Database {
  readonly url: string;
}

/** A new database with every migration applied, open. Closing it drops it. */
export async function openTestDatabase(poolSize: number): Promise<TestDatabase> {
  const { url, drop } = await createTestDatabase();
  const database = openDatabase({ url, poolSize, applicationName: 'test', onError: () => undefined });
  const close = database.close.bind(database);
  // Not a copy, which would read `prisma` and so make a client that the test may not use.
  return Object.assign(database, {
    url,
    async close() {
      await close();
      await drop();
    },
  });
}

async function ensureTemplate(client: pg.Client, server: string): Promise<void> {
  if (await hasTemplate(client)) return;
  // Unlocked with the end of the connection.
  await client.query('SELECT pg_advisory_lock($1)', [TEMPLATE_LOCK]);
  if (await hasTemplate(client)) return;
  await client.query(`DROP DATABASE IF EXISTS ${TEMPLATE}`);
  await client.query(`CREATE DATABASE ${TEMPLATE}`);
  await migrate(urlOf(server, TEMPLATE), PRISMA_FOLDER);
  await client.query(`ALTER DATABASE ${TEMPLATE} IS_TEMPLATE true`);
}

/** Only a template that is whole is marked as one. */
async function hasTemplate(client: pg.Client): Promise<boolean> {
  const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1 AND datistemplate', [
    TEMPLATE,
  ]);
  return rowCount === 1;
}

function urlOf(server: string, database: string): string {
  const url = new URL(server);
  url.pathname = `/${database}`;
  return url.href;
}

async function onServer(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
