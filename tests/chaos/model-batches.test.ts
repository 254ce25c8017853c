import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import type { Batch } from '@turnpike/contract';
import { Cluster } from '../support/cluster.ts';
import { byLength } from '../support/test-length.ts';
import { untilTrue } from '../support/until-true.ts';
import { CASE_LIMIT_MS } from './support/chaos-length.ts';
import { startChance } from './support/seeded-random.ts';

const TURNS = byLength({ short: 200, long: 10_000 });
const KILLS = byLength({ short: 4, long: 40 });
const LOST = byLength({ short: 2, long: 10 });
const FAST = {
  LEASE_MS: '1500',
  JOB_AGE_MS: '500',
  MAX_LOST_LEASES: '1000',
  EGRESS_ALLOW: '127.0.0.1',
  RECONCILE_EVERY_MS: '200',
  MODEL_BATCH_WINDOW_MS: '500',
  MODEL_BATCH_SIZE: '50',
  MODEL_BATCH_POLL_MS: '300',
  MODEL_BATCH_SUBMIT_MS: '4000',
};

let cluster: Cluster;
afterEach(() => cluster.stop());

async function submitTurns(agentId: string): Promise<Batch> {
  const items = Array.from({ length: TURNS }, (_, n) => ({ custom_id: `row-${n}`, input: `Say ${n}.` }));
  const { status, body } = await cluster.request('POST', '/v1/batches', {
    defaults: { agent_id: agentId },
    items,
  });
  expect(status).toBe(202);
  return body as Batch;
}

test(
  'workers are killed, and responses of the model API lost, while turns wait for batches: each call is paid for once',
  async () => {
    cluster = await Cluster.start({ workers: 2, environment: FAST });
    await cluster.control.setScript({ batches: { duration_ms: 1_000, lose_responses: LOST } });
    const agent = await cluster.createAgent({ service_tier: 'batch' });
    const { id } = await submitTurns(agent.id);
    const chance = startChance();
    const isOver = async (): Promise<boolean> => {
      const { rows } = await cluster.database.pool.query(
        `SELECT 1 FROM turn_batches WHERE id = $1 AND ended_at IS NOT NULL`,
        [id],
      );
      return rows.length > 0;
    };
    for (let kills = 0; kills < KILLS && !(await isOver()); kills++) {
      const worker = chance.pick(cluster.workers);
      if (worker === undefined) continue;
      cluster.workers.splice(cluster.workers.indexOf(worker), 1);
      await worker.end('SIGKILL');
      await cluster.startWorker();
      await delay(chance.between(100, 1_200));
    }
    await untilTrue('all turns have ended', isOver, CASE_LIMIT_MS);
    const { body } = await cluster.request('GET', `/v1/batches/${id}`);
    expect(body).toMatchObject({ counts: { total: TURNS, completed: TURNS } });
    expect(await cluster.control.stats()).toMatchObject({ completed: TURNS, duplicates: 0, failed: 0 });
    const { rows } = await cluster.database.pool.query<{ entries: number; same: boolean }>(
      `SELECT count(*)::int AS entries, sum(cost_micros) = (SELECT sum(cost_micros) FROM turns) AS same FROM ledger_entries`,
    );
    expect(rows).toEqual([{ entries: TURNS, same: true }]);
  },
  CASE_LIMIT_MS,
);
