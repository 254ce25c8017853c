import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Turn } from '@turnpike/contract';
import pg from 'pg';
import { CASE_LIMIT_MS } from '../chaos/support/chaos-length.ts';
import { ChaosCluster } from '../chaos/support/chaos-cluster.ts';
import { checkTruth } from '../chaos/support/check-truth.ts';
import { FaultInjector } from '../chaos/support/fault-injector.ts';
import { runUnder } from '../chaos/support/run-under.ts';
import { startChance } from '../chaos/support/seeded-random.ts';
import { scriptOfPlans } from '../chaos/support/workload.ts';
import { Cluster } from '../support/cluster.ts';
import { freePort } from '../support/free-port.ts';
import { MovingAddress } from '../support/moving-address.ts';
import { startPostgres, startStandby, type PostgresServer } from '../support/postgres-server.ts';
import { createTestDatabase } from '../support/test-database.ts';
import { byLength } from '../support/test-length.ts';
import { untilTrue } from '../support/until-true.ts';

/* A Postgres with a standby that streams from it. */

const LEAST_TURNS = byLength({ short: 24, long: 200 });
const LAG_MS = 1_000;

let primary: PostgresServer;
let standby: PostgresServer;
const stoppers: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  primary = await startPostgres({ durable: true });
  standby = await startStandby(primary);
  stoppers.push(
    () => primary.stop(),
    () => standby.stop(),
  );
});
afterEach(async () => {
  for (const stop of stoppers.splice(0).toReversed()) await stop();
});

const portOf = ({ url }: PostgresServer): number => Number(new URL(url).port);

/** Runs a statement that takes no part in a transaction. */
async function tell(server: PostgresServer, statement: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(statement)).rows.flatMap((row) => Object.values(row));
  } finally {
    await client.end();
  }
}

/** From now on a commit is known to be on the standby before anybody is told of it. */
async function commitOnBoth(): Promise<void> {
  await tell(primary, `ALTER SYSTEM SET synchronous_standby_names = 'standby'`);
  await tell(primary, 'SELECT pg_reload_conf()');
  await untilTrue('the standby is synchronous', async () =>
    (await tell(primary, 'SELECT sync_state FROM pg_stat_replication')).includes('sync'),
  );
}

test(
  'a primary that dies under load is replaced by its standby without a restart: no turn is lost, and nothing happens twice',
  async () => {
    const address = await MovingAddress.start(portOf(primary));
    stoppers.push(() => address.stop());
    await commitOnBoth();
    const url = new URL(primary.url);
    url.port = String(address.port);
    // Long enough to live through the failover: what a model call cost is not thrown away for it.
    const chaos = await ChaosCluster.start({
      workers: 2,
      postgresUrl: url.href,
      environment: { LEASE_MS: '10000' },
    });
    stoppers.push(() => chaos.stop());
    await chaos.cluster.control.setScript(scriptOfPlans());
    chaos.effects.delayMs = 150;
    let isReplaced = false;
    const failOver = async (): Promise<boolean> => {
      if (isReplaced) return false;
      isReplaced = true;
      await primary.crash();
      expect(await tell(standby, 'SELECT pg_promote()')).toEqual([true]);
      address.moveTo(portOf(standby));
      return true;
    };
    const faults = new FaultInjector(chaos, startChance(), { everyMs: 1_500, fault: failOver });
    const turns = await runUnder(chaos, faults, { turns: LEAST_TURNS, faults: 1 });
    expect(await tell(standby, 'SELECT pg_is_in_recovery()')).toEqual([false]);
    await checkTruth(chaos, turns);
  },
  CASE_LIMIT_MS,
);

test(
  'lists are read from a standby that is near enough, and from the primary while it is behind or away',
  async () => {
    const { url } = await createTestDatabase(primary.url);
    const readUrl = new URL(url);
    readUrl.port = String(portOf(standby));
    const metricsPort = await freePort();
    const cluster = await Cluster.start({
      workers: 0,
      databaseUrl: url,
      environment: {
        DATABASE_READ_URL: readUrl.href,
        DATABASE_READ_LAG_MS: String(LAG_MS),
        METRICS_PORT: String(metricsPort),
      },
    });
    stoppers.push(() => cluster.stop());
    await cluster.startWorker({ METRICS_PORT: '' });
    const { id: agentId } = await cluster.createAgent();
    const listed = async (): Promise<string[]> => {
      const { status, body } = await cluster.request('GET', '/v1/turns');
      expect(status).toBe(200);
      return (body as { items: Turn[] }).items.map(({ id }) => id);
    };
    const readsFrom = async (source: string): Promise<number> => {
      const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
      return Number(
        new RegExp(`turnpike_lagging_reads_total\\{[^}]*source="${source}"[^}]*\\} (\\d+)`).exec(text)?.[1] ??
          0,
      );
    };
    /** Lists until one of these reads was made there. */
    const untilRead = async (source: string): Promise<void> => {
      const before = await readsFrom(source);
      await untilTrue(`a list is read from the ${source}`, async () => {
        await listed();
        return (await readsFrom(source)) > before;
      });
    };

    const first = await cluster.submit({ agentId }, 'Hi');
    await cluster.untilEnded(first.id);
    await untilRead('replica');
    await untilTrue('the standby shows the turn', async () => (await listed()).includes(first.id));

    // Behind: what it shows is never older than the bound.
    await tell(standby, 'SELECT pg_wal_replay_pause()');
    const second = await cluster.submit({ agentId }, 'Hi again');
    // What decides is read from the primary, whatever the standby has.
    await cluster.untilEnded(second.id);
    await untilRead('primary');
    expect(await listed()).toContain(second.id);
    await tell(standby, 'SELECT pg_wal_replay_resume()');
    await untilRead('replica');

    // Away: nobody notices.
    await standby.crash();
    const third = await cluster.submit({ agentId }, 'And again');
    await cluster.untilEnded(third.id);
    await untilTrue('the primary shows the turn', async () => (await listed()).includes(third.id));
    await standby.start();
    await untilRead('replica');
  },
  CASE_LIMIT_MS,
);
