import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { migrate } from '@turnpike/store';
import pg from 'pg';
import { freePort } from '../support/free-port.ts';
import { TEST_MASTER_KEYS } from '../support/master-keys.ts';
import { startPostgres, type PostgresServer } from '../support/postgres-server.ts';
import { startProgram, type Program } from '../support/program.ts';
import { startRedis, type RedisServer } from '../support/redis-server.ts';
import { PRISMA_FOLDER } from '../support/test-database.ts';
import { untilTrue } from '../support/until-true.ts';

let postgres: PostgresServer;
let redis: RedisServer | null;
let environment: Record<string, string>;
let api: Program;
let worker: Program;
let probes: string[];

beforeAll(async () => {
  [postgres, redis] = await Promise.all([startPostgres({ durable: true }), startRedis()]);
  environment = {
    DATABASE_URL: postgres.url,
    BACKPLANE_URL: redis?.url ?? postgres.url,
    TURNPIKE_MASTER_KEYS: TEST_MASTER_KEYS,
    HOST: '127.0.0.1',
    PORT: '0',
    METRICS_PORT: String(await freePort()),
    SHUTDOWN_DELAY_MS: '2000',
  };
  // The API has no port for metrics here, and answers probes all the same.
  [api, worker] = await Promise.all([
    startProgram('api', { ...environment, METRICS_PORT: '' }),
    startProgram('worker', environment),
  ]);
  probes = [api.hello['port'], environment['METRICS_PORT']].map((port) => `http://127.0.0.1:${String(port)}`);
});
afterAll(async () => {
  await Promise.all([api, worker].map((program) => program.end('SIGKILL')));
  await Promise.all([postgres.stop(), redis?.stop()]);
});

const look = async (base: string): Promise<{ status: number; body: Record<string, unknown> }> => {
  const response = await fetch(`${base}/readyz`);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

/** Until the API and the worker both respond so. */
async function untilBoth(status: number, words: RegExp): Promise<void> {
  await untilTrue(`${status} ${words}`, async () => {
    const answers = await Promise.all(probes.map(look));
    return answers.every((answer) => answer.status === status && words.test(JSON.stringify(answer.body)));
  });
}

async function ask(statement: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(statement)).rows;
  } finally {
    await client.end();
  }
}

test('on a database that is not migrated, the API and the workers are not ready and say what to do', async () => {
  await untilBoth(503, /lacks migrations of this version \(all of them\): run turnpike migrate/);
  await migrate(postgres.url, PRISMA_FOLDER);
  await untilBoth(200, /"ok"/);
  await ask(`UPDATE _prisma_migrations SET finished_at = NULL WHERE migration_name LIKE '%_money'`);
  await untilBoth(503, /lacks migrations of this version \(\d+_money\)/);
  await ask(`UPDATE _prisma_migrations SET finished_at = now() WHERE migration_name LIKE '%_money'`);
  await untilBoth(200, /"ok"/);
});

test('on a standby, and on a database that takes no writes, they are not ready, until it is promoted', async () => {
  await ask('ALTER DATABASE postgres SET default_transaction_read_only = on');
  await ask(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'turnpike-%'`,
  );
  await untilBoth(503, /takes no writes: default_transaction_read_only is on/);
  await ask('BEGIN READ WRITE; ALTER DATABASE postgres RESET default_transaction_read_only; COMMIT');
  await ask(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'turnpike-%'`,
  );
  await untilBoth(200, /"ok"/);

  const [{ data_directory: folder } = {}] = await ask('SHOW data_directory');
  await postgres.crash();
  await writeFile(join(String(folder), 'standby.signal'), '');
  // It is up for its starter only once it takes writes.
  const started = postgres.start();
  await untilBoth(503, /is a standby: it takes no writes/);
  await ask('SELECT pg_promote()');
  await started;
  await untilBoth(200, /"ok"/);
});

test('on a Redis that became a replica while connections stayed open, they are not ready, until it is a primary', async () => {
  if (redis === null) return;
  const { Redis } = await import('ioredis');
  const operator = new Redis(redis.url);
  await operator.replicaof('127.0.0.1', String(await freePort()));
  await untilBoth(503, /READONLY/);
  await operator.replicaof('NO', 'ONE');
  await untilBoth(200, /"ok"/);
  operator.disconnect();
});

test('while Postgres and Redis are down, each process reports it, and not with every attempt', async () => {
  const before = [api, worker].map((program) => program.lines.length);
  await postgres.crash();
  await redis?.kill();
  await untilBoth(503, /not_ready/);
  const suppressed = (program: Program, from: number | undefined): boolean =>
    program.lines.slice(from).some((line) => /"suppressed":\d+/.test(line));
  await untilTrue('suppressed reports are counted', () =>
    [api, worker].every((program, index) => suppressed(program, before[index])),
  );
  for (const [index, program] of [api, worker].entries()) {
    const reports = program.lines.slice(before[index]).filter((line) => /"level":"(warn|error)"/.test(line));
    expect(reports.length).toBeGreaterThan(0);
    // Probes alone fail every second, and there are a dozen loops and connections.
    expect(reports.length).toBeLessThan(150);
  }
  await postgres.start();
  await redis?.start();
  await untilBoth(200, /"ok"/);
});

test('an API that is told to stop serves on and is not ready for SHUTDOWN_DELAY_MS, then stops; a worker stops at once', async () => {
  const [base = ''] = probes;
  const asked = performance.now();
  const ended = api.end('SIGTERM');
  await untilTrue('it is stopping', async () => (await look(base)).body['status'] === 'stopping');
  const answer = await fetch(`${base}/v1/agents`);
  expect([answer.status, answer.headers.get('connection')]).toEqual([401, 'close']);
  expect(await ended).toBe(0);
  expect(performance.now() - asked).toBeGreaterThan(1_900);
  expect(await worker.end('SIGTERM')).toBe(0);
});

test('a second signal ends it at once', async () => {
  const other = await startProgram('api', {
    ...environment,
    METRICS_PORT: '',
    SHUTDOWN_DELAY_MS: '600000',
  });
  other.process.kill('SIGTERM');
  await untilTrue('it received the signal', () =>
    other.lines.some((line) => line.includes('Received SIGTERM')),
  );
  expect(await other.end('SIGTERM')).toBe(1);
});

test.each([
  [
    'search_path in the options',
    { DATABASE_URL: 'postgres://u@127.0.0.1:1/d?options=-csearch_path%3Dapp' },
    /name the schema with \?schema=/,
  ],
  ['a strange schema', { DATABASE_URL: 'postgres://u@127.0.0.1:1/d?schema=pg_temp' }, /The schema "pg_temp"/],
])('a program is not started with %s: one sentence says why', async (_, changes, sentence) => {
  for (const name of ['api', 'worker'] as const) {
    const refusal = startProgram(name, { ...environment, ...changes });
    await expect(refusal).rejects.toThrow(sentence);
    const { message } = await refusal.then(
      () => new Error(''),
      (error: Error) => error,
    );
    expect(message.trim().split('\n')).toHaveLength(2);
  }
});

test('a program is not started on a database whose role sends its tables elsewhere', async () => {
  await ask(`ALTER ROLE postgres SET search_path = elsewhere`);
  await expect(startProgram('api', environment)).rejects.toThrow(/\?schema=elsewhere, or \?schema=public/);
  await ask(`ALTER ROLE postgres RESET search_path`);
});

test('a program is not started on a Redis Cluster: a few lines say why', async () => {
  const cluster = await startRedis({ kind: 'cluster' });
  if (cluster === null) return;
  try {
    for (const name of ['api', 'worker'] as const) {
      const refusal = startProgram(name, { ...environment, BACKPLANE_URL: cluster.url });
      await expect(refusal).rejects.toThrow(/is a node of a Redis Cluster/);
      const { message } = await refusal.then(
        () => new Error(''),
        (error: Error) => error,
      );
      expect(message.split('\n').length).toBeLessThan(5);
    }
  } finally {
    await cluster.stop();
  }
});
