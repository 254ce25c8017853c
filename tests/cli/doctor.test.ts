import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startModelSim, type ModelSim } from '@turnpike/model-sim';
import { createEnvironmentKeys, parseMasterKeys } from '@turnpike/secrets';
import { createTenant, openDatabase, openSecretBox, putSecret, type Database } from '@turnpike/store';
import { Secret } from '@turnpike/telemetry';
import { freePort } from '../support/free-port.ts';
import { TEST_MASTER_KEYS } from '../support/master-keys.ts';
import { startRedis, type RedisServer } from '../support/redis-server.ts';
import { startPostgres } from '../support/postgres-server.ts';
import type { Service } from '../support/service.ts';
import { createTestDatabase } from '../support/test-database.ts';
import { LIMIT_MS, useProject, withRedis } from './use-project.ts';

interface Finding {
  check: string;
  status: 'ok' | 'warning' | 'failure' | 'skipped';
  seen: string;
  remedy: string | null;
}

const OTHER_KEYS = `other:${Buffer.alloc(32, 'another key').toString('base64')}`;

const project = useProject();
let server: Service;
let database: Database;
let redis: RedisServer | null;
let model: ModelSim;
let role: string;
let environment: Record<string, string>;
beforeAll(async () => {
  // The shared server of the tests keeps nothing over a crash.
  server = await startPostgres({ durable: true });
  const { url: address } = await createTestDatabase(server.url);
  database = openDatabase({ url: address, poolSize: 3, applicationName: 'test', onError: () => undefined });
  redis = await startRedis();
  model = await startModelSim({ port: 0 });
  // The role of a service: it may read and write, and no more.
  role = `doctor_${randomUUID().replaceAll('-', '').slice(0, 12)}`;
  await database.pool.query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret-of-the-role'`);
  await grant(role);
  const url = new URL(address);
  url.username = role;
  url.password = 'secret-of-the-role';
  environment = {
    DATABASE_URL: url.href,
    TURNPIKE_MASTER_KEYS: TEST_MASTER_KEYS,
    ANTHROPIC_BASE_URL: model.url,
    ...(redis === null ? {} : { REDIS_URL: redis.url }),
  };
  const tenantId = await createTenant(database, 'Acme');
  const box = openSecretBox(database, createEnvironmentKeys(parseMasterKeys(TEST_MASTER_KEYS)));
  await box.prepare(tenantId);
  await putSecret(database.pool, box, { tenantId, name: 'token', value: new Secret('of Acme') });
});
afterAll(async () => {
  await model.close();
  await redis?.stop();
  await database.close();
  await server.stop();
});

async function grant(to: string): Promise<void> {
  await database.pool.query(
    `REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT USAGE ON SCHEMA public TO ${to};
     GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${to}`,
  );
}

/** What the doctor finds, and its exit code. */
async function examine(
  instead: Record<string, string> = {},
): Promise<{ code: number | null; found: Finding[] }> {
  const ended = await project.turnpikeWith({ ...environment, ...instead }, 'doctor', '--json');
  expect(ended.output + ended.reportedErrors).not.toMatch(/secret-of-the-role|dHVybnBpa2U|of Acme/);
  return { code: ended.code, found: (JSON.parse(ended.output) as { findings: Finding[] }).findings };
}

const ill = (found: Finding[]): string[] =>
  found.flatMap(({ check, status }) => (status === 'ok' ? [] : [`${check}: ${status}`]));

withRedis(
  'a healthy installation is said to be so, by a role that may read and write and no more',
  async () => {
    const { code, found } = await examine();
    expect([code, ill(found)]).toEqual([0, []]);
    expect(found.map(({ check }) => check)).toEqual([
      'node_version',
      'database_version',
      'database_writable',
      'migrations',
      'database_durability',
      'database_connections',
      'role_privileges',
      'role_excess',
      'schema_valid',
      'autovacuum',
      'database_clock',
      'master_keys',
      'redis_version',
      'redis_kind',
      'redis_eviction',
      'redis_memory',
      'redis_clock',
      'model_api',
    ]);
    const { output } = await project.turnpikeWith(environment, 'doctor');
    expect(output).toMatch(/^ok {7}node_version {10}Node /);
  },
  LIMIT_MS,
);

/** Each breaks one thing, and says how it is mended. */
const BREAKS: Record<string, { break: string; mend: string; finds: string }> = {
  'an index that is not valid': {
    break: `UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'turns_ready'::regclass`,
    mend: `UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'turns_ready'::regclass`,
    finds: 'schema_valid: failure',
  },
  'a constraint that was not validated': {
    break: 'ALTER TABLE turns ADD CONSTRAINT later CHECK (true) NOT VALID',
    mend: 'ALTER TABLE turns DROP CONSTRAINT later',
    finds: 'schema_valid: failure',
  },
  'commits that a crash loses': {
    break: 'ALTER ROLE $role SET synchronous_commit = off',
    mend: 'ALTER ROLE $role RESET synchronous_commit',
    finds: 'database_durability: failure',
  },
  'a table that the role may not write': {
    break: 'REVOKE INSERT ON turns FROM $role',
    mend: 'GRANT INSERT ON turns TO $role',
    finds: 'role_privileges: failure',
  },
  'a role that may change the schema': {
    break: 'GRANT CREATE ON SCHEMA public TO $role',
    mend: 'REVOKE CREATE ON SCHEMA public FROM $role',
    finds: 'role_excess: warning',
  },
  'a migration that is missing': {
    break: `UPDATE _prisma_migrations SET rolled_back_at = now() WHERE migration_name LIKE '%_pauses'`,
    mend: `UPDATE _prisma_migrations SET rolled_back_at = NULL`,
    finds: 'migrations: failure',
  },
  'a migration of a newer version': {
    break: `INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at) VALUES ('new', '', '29990101_new', now())`,
    mend: `DELETE FROM _prisma_migrations WHERE id = 'new'`,
    finds: 'migrations: warning',
  },
};

test.each(Object.entries(BREAKS))(
  '%s is found, and nothing else',
  async (_name, { break: breaks, mend, finds }) => {
    const { pool } = database;
    await pool.query(breaks.replace('$role', role));
    try {
      const { code, found } = await examine();
      expect(ill(found).filter((each) => !each.startsWith('redis'))).toEqual([finds]);
      expect(code).toBe(finds.endsWith('failure') ? 1 : 0);
      expect(found.find(({ status }) => status === 'failure' || status === 'warning')?.remedy).toMatch(/\.$/);
    } finally {
      await pool.query(mend.replace('$role', role));
    }
  },
  LIMIT_MS,
);

test(
  'a master key that is missing is found, and one that is older',
  async () => {
    const without = await examine({ TURNPIKE_MASTER_KEYS: OTHER_KEYS });
    expect(without.code).toBe(1);
    expect(without.found).toContainEqual(
      expect.objectContaining({
        check: 'master_keys',
        status: 'failure',
        seen: expect.stringContaining('test'),
      }),
    );
    const both = await examine({ TURNPIKE_MASTER_KEYS: `${OTHER_KEYS},${TEST_MASTER_KEYS}` });
    expect(both.found).toContainEqual(expect.objectContaining({ check: 'master_keys', status: 'warning' }));
  },
  LIMIT_MS,
);

withRedis(
  'a Redis that drops jobs is found, and one that is nearly full',
  async () => {
    const dropping = await startRedis({
      options: ['--maxmemory-policy', 'allkeys-lru', '--maxmemory', '1mb'],
    });
    if (dropping === null) throw new Error('There is no redis-server.');
    const { code, found } = await examine({ REDIS_URL: dropping.url });
    expect([code, ill(found)]).toEqual([1, ['redis_eviction: failure', 'redis_memory: warning']]);
    await dropping.stop();
  },
  LIMIT_MS,
);

test(
  'what does not respond is one finding each, and the rest is looked at all the same',
  async () => {
    const nowhere = `127.0.0.1:${await freePort()}`;
    const { code, found } = await examine({
      DATABASE_URL: `postgres://${role}:secret-of-the-role@${nowhere}/app`,
      REDIS_URL: `redis://${nowhere}`,
      ANTHROPIC_BASE_URL: `http://${nowhere}`,
    });
    expect([code, ill(found)]).toEqual([1, ['database: failure', 'redis: failure', 'model_api: failure']]);
    const withSettings = await examine({
      DATABASE_URL: `${environment['DATABASE_URL']}?options=-csearch_path%3Dx`,
    });
    expect(ill(withSettings.found)).toContain('database: failure');
  },
  LIMIT_MS,
);
