import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { createTestDatabase } from '../../../../tests/support/test-database.ts';
import { openDatabase, type Database } from './database.ts';
import { checkSettings } from './check-database.ts';
import { DatabaseSettingsError, readSessionTarget } from './session-settings.ts';
import { createTenant } from '../tenants/tenants.ts';

let url: string;
let drop: () => Promise<void>;
let owner: pg.Pool;
beforeAll(async () => {
  ({ url, drop } = await createTestDatabase());
  owner = new pg.Pool({ connectionString: url, max: 1 });
});
afterAll(async () => {
  await owner.end();
  await drop();
});

const withParameters = (parameters: Record<string, string>): string => {
  const address = new URL(url);
  for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
  return address.href;
};

async function using<Result>(
  address: string,
  work: (database: Database) => Promise<Result>,
): Promise<Result> {
  const database = openDatabase({
    url: address,
    poolSize: 2,
    applicationName: 'test',
    onError: () => undefined,
  });
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

/** Settings of the database itself, as an operator or a hosting service sets them. */
async function withDatabaseSettings(settings: string[], work: () => Promise<void>): Promise<void> {
  const name = new URL(url).pathname.slice(1);
  for (const setting of settings) await owner.query(`ALTER DATABASE ${name} SET ${setting}`);
  try {
    await work();
  } finally {
    await owner.query(`ALTER DATABASE ${name} RESET ALL`);
  }
}

const OTHER_OPINIONS = [
  `timezone = 'Asia/Kathmandu'`,
  `datestyle = 'SQL, DMY'`,
  `intervalstyle = 'sql_standard'`,
  `bytea_output = 'escape'`,
  `standard_conforming_strings = off`,
  `default_transaction_isolation = 'serializable'`,
  `statement_timeout = '2s'`,
  `lock_timeout = '1ms'`,
];

describe('a session has the settings that our SQL relies on', () => {
  test.each([
    [
      'the options of the address',
      { options: '-c timezone=America/New_York -c DateStyle=German --statement_timeout=2000' },
    ],
    [
      'its parameters',
      { statement_timeout: '1', query_timeout: '1', client_encoding: 'LATIN1', lock_timeout: '1' },
    ],
    ['nothing of the address, the database alone', {}],
  ])('whatever is set by %s', async (_, parameters) => {
    await withDatabaseSettings(OTHER_OPINIONS, () =>
      using(withParameters(parameters), async (database) => {
        const before = Date.now();
        const id = await createTenant(database, 'Ünïcode', { operatorKey: false });
        const tenant = await database.prisma.tenant.findUniqueOrThrow({ where: { id } });
        expect(tenant.name).toBe('Ünïcode');
        expect(Math.abs(tenant.createdAt.getTime() - before)).toBeLessThan(600_000);
        const { rows } = await database.pool.query(
          `SELECT current_setting('TimeZone') AS zone, current_setting('statement_timeout') AS timeout,
                  now() AS now, current_schemas(false)::text AS schemas, '\\x00ff'::bytea AS bytes`,
        );
        expect(rows).toMatchObject([{ zone: 'UTC', timeout: '15s', schemas: '{public}' }]);
        expect(rows[0].bytes).toEqual(Buffer.from([0, 255]));
        expect(Math.abs(new Date(rows[0].now).getTime() - Date.now())).toBeLessThan(600_000);
      }),
    );
  });

  test('and the other settings that its URL asks for', async () => {
    await using(withParameters({ options: '-c work_mem=7MB' }), async ({ pool }) => {
      expect((await pool.query('SHOW work_mem')).rows).toEqual([{ work_mem: '7MB' }]);
    });
  });
});

describe('a session with other settings is refused, and the error names the setting', () => {
  const ping = (address: string): Promise<void> => using(address, (database) => database.ping());

  test('one that nobody may set', async () => {
    await withDatabaseSettings([`session_replication_role = 'replica'`], async () => {
      await expect(ping(url)).rejects.toThrow(/session_replication_role = "replica" and not "origin"/);
      await expect(ping(url)).rejects.toThrow(DatabaseSettingsError);
    });
  });

  test.each(['-c no_such_setting=1', '-c work_mem=much', 'work_mem=8MB'])(
    'options of the address that Postgres does not take: %s',
    async (options) => {
      await using(withParameters({ options }), async (database) => {
        const started = checkSettings(database, (error) => {
          throw error;
        });
        await expect(started).rejects.toThrow(/refuses the startup options of the address/);
      });
    },
  );

  test('a schema of the role or the database that the URL does not name', async () => {
    await withDatabaseSettings([`search_path = app, public`], async () => {
      await expect(ping(url)).rejects.toThrow(/search_path = app, public.+\?schema=app, or \?schema=public/);
      await ping(withParameters({ schema: 'public' }));
    });
  });

  test.each([
    [{ options: '-c search_path=app' }, /sets search_path; name the schema with \?schema=/],
    [{ options: '--search-path=app' }, /sets search_path/],
    [{ schema: 'pg_catalog' }, /The schema "pg_catalog"/],
    [{ schema: '' }, /The schema ""/],
    [{ schema: 'a"; DROP' }, /at most 48 letters/],
  ])('a URL with %j', (parameters, sentence) => {
    expect(() => readSessionTarget(withParameters(parameters))).toThrow(sentence);
  });
});
