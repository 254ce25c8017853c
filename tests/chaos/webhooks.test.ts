import { afterEach, expect, test } from '@jest/globals';
import { untilTrue } from '../support/until-true.ts';
import { Receiver, verify } from '../webhooks/support/receiver.ts';
import { byLength } from '../support/test-length.ts';
import { CASE_LIMIT_MS, WORKERS } from './support/chaos-length.ts';
import { ChaosCluster } from './support/chaos-cluster.ts';
import { killWorker, FaultInjector } from './support/fault-injector.ts';
import { runUnder } from './support/run-under.ts';
import { startChance } from './support/seeded-random.ts';
import { scriptOfPlans } from './support/workload.ts';

const LEAST = byLength({ short: { turns: 16, faults: 2 }, long: { turns: 1_000, faults: 60 } });
const TYPES = ['turn.queued', 'turn.started', 'turn.completed'];
/** Soon: what a killed worker had is another's after this, and a margin. */
const TIMEOUT_MS = 1_000;

let chaos: ChaosCluster;
let receiver: Receiver;
afterEach(async () => {
  await chaos.stop();
  await receiver.stop();
});

test(
  'workers are killed all the time: the events that were received are the events that happened, each at least once',
  async () => {
    const random = startChance();
    receiver = await Receiver.start();
    chaos = await ChaosCluster.start({
      workers: WORKERS,
      environment: { WEBHOOK_TIMEOUT_MS: String(TIMEOUT_MS), WEBHOOK_RETRY_SCHEDULE: '500ms,1s,2s,4s,8s' },
    });
    await chaos.cluster.control.setScript(scriptOfPlans());
    // Each is verified as it comes: later its signature would be old.
    const refused: string[] = [];
    let secret = '';
    // Now and then it takes an event and fails, or takes its time: long enough for a worker to die in it.
    receiver.behaviours.set('/hook', (response, received) => {
      try {
        verify(secret, received);
      } catch {
        refused.push(received.body.id);
      }
      const chance = random.next();
      if (chance < 0.1) response.writeHead(503).end();
      else setTimeout(() => response.writeHead(204).end(), chance * 200);
    });
    const { body } = await chaos.cluster.request('POST', '/v1/webhook_endpoints', {
      url: `${receiver.url}/hook`,
      events: TYPES,
    });
    secret = (body as { signing_secret: string }).signing_secret;
    const faultInjector = new FaultInjector(chaos, random, { everyMs: 500, fault: killWorker });
    await runUnder(chaos, faultInjector, LEAST);

    const { pool } = chaos.cluster.database;
    await untilTrue(
      'nothing waits any more',
      async () => {
        const { rows } = await pool.query(
          `SELECT 1 FROM deliveries WHERE status IN ('pending', 'failed') LIMIT 1`,
        );
        return rows.length === 0;
      },
      CASE_LIMIT_MS,
    );
    const { rows: events } = await pool.query<{ id: string }>(
      'SELECT id FROM events WHERE type = ANY ($1) ORDER BY id',
      [TYPES],
    );
    const ids = receiver.at('/hook').map(({ headers }) => String(headers['webhook-id']));
    expect([...new Set(ids)].toSorted()).toEqual(events.map(({ id }) => id).toSorted());
    const { rows: others } = await pool.query(`SELECT DISTINCT status FROM deliveries`);
    expect(others).toEqual([{ status: 'delivered' }]);
    expect(refused).toEqual([]);
    process.stdout.write(`[chaos] ${events.length} events, received ${ids.length} times\n`);
  },
  CASE_LIMIT_MS,
);
