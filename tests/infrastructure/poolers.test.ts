import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { checkSettings, giveRoleSettings, migrate, openDatabase } from '@turnpike/store';
import { openBackplane } from '@turnpike/backplane';
import pg from 'pg';
import { CASE_LIMIT_MS } from '../chaos/support/chaos-length.ts';
import { ChaosCluster } from '../chaos/support/chaos-cluster.ts';
import { checkTruth } from '../chaos/support/check-truth.ts';
import { FaultInjector, type Fault } from '../chaos/support/fault-injector.ts';
import { runUnder } from '../chaos/support/run-under.ts';
import { startChance } from '../chaos/support/seeded-random.ts';
import { scriptOfPlans } from '../chaos/support/workload.ts';
import { hasPgBouncer, startPgBouncer, type PgBouncer } from '../support/pgbouncer.ts';
import { createTestDatabase, PRISMA_FOLDER } from '../support/test-database.ts';
import { byLength } from '../support/test-length.ts';
import { untilTrue } from '../support/until-true.ts';
import { Receiver, verify } from '../webhooks/support/receiver.ts';

const LEAST = byLength({ short: { turns: 24, faults: 1 }, long: { turns: 200, faults: 6 } });

const describeWithPgBouncer = hasPgBouncer ? describe : describe.skip;

describeWithPgBouncer('PgBouncer in transaction mode, which takes no startup option', () => {
  let pooler: PgBouncer;
  let directUrl: string;
  let pooledUrl: string;
  let drop: () => Promise<void>;
  beforeEach(async () => {
    const database = await createTestDatabase();
    ({ drop } = database);
    directUrl = database.url;
    // So few that every client gets sessions which others have used.
    pooler = await startPgBouncer(directUrl, { poolSize: 8 });
    pooledUrl = pooler.addressOf(directUrl);
  });
  afterEach(async () => {
    await pooler.stop();
    await drop();
  });

  const ping = async (url: string): Promise<void> => {
    const database = openDatabase({
      url,
      poolSize: 2,
      applicationName: 'test',
      onError: () => undefined,
    });
    try {
      await checkSettings(database, (error) => {
        throw error;
      });
    } finally {
      await database.close();
    }
  };

  test('a role without the settings is refused, with what to do; once it has them, the service starts', async () => {
    await expect(ping(pooledUrl)).rejects.toThrow(
      /enable_seqscan = "on" and not "off".+ALTER ROLE "postgres" IN DATABASE "t_[0-9a-f]+" SET enable_seqscan = 'off';.+RECONNECT/,
    );
    // What the sentence says, word by word.
    const advice = await ping(pooledUrl).catch((error: Error) => error.message);
    const [statements = ''] = /ALTER ROLE .+;/.exec(String(advice)) ?? [];
    const owner = new pg.Client({ connectionString: directUrl });
    await owner.connect();
    await owner.query(statements);
    await owner.end();
    await pooler.kill();
    await pooler.start();
    await ping(pooledUrl);
  });

  test('a migration gives the role of the service its settings once, and not those of another installation', async () => {
    const given = await giveRoleSettings(directUrl, pooledUrl);
    expect(given).toMatchObject({ role: 'postgres' });
    expect(given?.given).toEqual(
      expect.arrayContaining(['enable_seqscan', 'statement_timeout', 'search_path']),
    );
    expect(await giveRoleSettings(directUrl, pooledUrl)).toMatchObject({ given: [] });
    await ping(pooledUrl);
    await expect(giveRoleSettings(directUrl, `${pooledUrl}?schema=other`)).rejects.toThrow(
      /a role of its own/,
    );
    // A migration by the same role does not stop at the limits of the service.
    expect(await migrate(directUrl, PRISMA_FOLDER)).toEqual([]);
    const stranger = new URL(pooledUrl);
    stranger.username = 'nobody.project';
    expect(await giveRoleSettings(directUrl, stranger.href)).toBeNull();
    stranger.username = 'postgres.project';
    expect(await giveRoleSettings(directUrl, stranger.href)).toMatchObject({ role: 'postgres', given: [] });
  });

  test('migrations and a backplane in Postgres are refused, with the setting that they need', async () => {
    await expect(migrate(pooledUrl, PRISMA_FOLDER)).rejects.toThrow(/MIGRATE_DATABASE_URL/);
    await expect(openBackplane({ url: pooledUrl, onError: () => undefined })).rejects.toThrow(
      /LISTEN. Set BACKPLANE_URL/,
    );
  });

  test('no statement has a name, since this PgBouncer passes names on', async () => {
    await giveRoleSettings(directUrl, pooledUrl);
    const database = openDatabase({
      url: pooledUrl,
      poolSize: 4,
      applicationName: 'test',
      onError: () => undefined,
    });
    const ask = { name: 'which-session', text: 'SELECT pg_backend_pid() AS pid, pg_sleep(0.05)' };
    const answers = await Promise.all(
      Array.from({ length: 40 }, () => database.pool.query<{ pid: number }>(ask)),
    );
    // The clients changed sessions, and no session knows the statement by its name.
    expect(new Set(answers.map(({ rows }) => rows[0]?.pid)).size).toBeGreaterThan(1);
    const { rows } = await database.pool.query('SELECT name FROM pg_prepared_statements');
    expect(rows).toEqual([]);
    await database.close();
  });

  describe('a whole service behind it', () => {
    let chaos: ChaosCluster | undefined;
    let receiver: Receiver | undefined;
    afterEach(async () => {
      await chaos?.stop();
      await receiver?.stop();
    });

    const killPooler: Fault = async (_, random) => {
      await pooler.kill();
      await delay(random.between(0, 1_000));
      await pooler.start();
      return true;
    };

    test(
      'turns with tools, streams and webhooks, while the pooler is killed: none is lost, nothing happens twice',
      async () => {
        await giveRoleSettings(directUrl, pooledUrl);
        const hooks = (receiver = await Receiver.start());
        chaos = await ChaosCluster.start({
          workers: 2,
          databaseUrl: directUrl,
          environment: { DATABASE_URL: pooledUrl, LEASE_MS: '10000' },
        });
        await chaos.cluster.control.setScript(scriptOfPlans());
        const { body } = await chaos.cluster.request('POST', '/v1/webhook_endpoints', {
          url: `${hooks.url}/hook`,
          events: ['turn.completed'],
        });
        const { signing_secret: secret } = body as { signing_secret: string };
        hooks.behaviours.set('/hook', (response, received) => {
          verify(secret, received);
          response.writeHead(204).end();
        });
        const faults = new FaultInjector(chaos, startChance(), { everyMs: 3_000, fault: killPooler });
        const turns = await runUnder(chaos, faults, LEAST);
        await checkTruth(chaos, turns);
        await untilTrue('each turn was reported', () => {
          const reported = new Set(
            hooks.at('/hook').map((it) => (it.body.data['turn'] as { id: string }).id),
          );
          return turns.every(({ id }) => reported.has(id));
        });
      },
      CASE_LIMIT_MS,
    );
  });
});
