import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Cluster } from '../support/cluster.ts';
import { byLength } from '../support/test-length.ts';
import { untilTrue } from '../support/until-true.ts';

const PARKED = byLength({ short: 150, long: 1_000 });
/** Submits at once. */
const CLIENTS = 20;

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({ workers: 2 });
});
afterAll(() => cluster.stop());

async function counts(): Promise<{ claims: number; parked: number; ended: number }> {
  const { rows } = await cluster.database.pool.query<{ claims: number; parked: number; ended: number }>(
    `SELECT sum(attempts)::int AS claims, count(*) FILTER (WHERE status = 'completed')::int AS ended,
       count(*) FILTER (WHERE status = 'queued' AND outage IS NOT NULL AND available_at > now())::int AS parked
     FROM turns`,
  );
  if (rows[0] === undefined) throw new Error('A count returned no row.');
  return rows[0];
}

test(`while a model is away, ${PARKED} turns that wait for it cost a claim for each probe, and all complete after it`, async () => {
  await cluster.control.setScript({ rules: [{ fault: { type: 'status', status: 529 } }] });
  const { id: agentId } = await cluster.createAgent();
  let left = PARKED;
  const submitAll = async (): Promise<void> => {
    while (left-- > 0) await cluster.submit({ agentId }, `Turn ${left}`);
  };
  await Promise.all(Array.from({ length: CLIENTS }, submitAll));
  await untilTrue('all but a probe are parked', async () => (await counts()).parked >= PARKED - 10, 120_000);

  const { calls } = await cluster.control.stats();
  const before = await counts();
  const hasProbed = async (): Promise<boolean> => (await cluster.control.stats()).calls >= calls + 3;
  await untilTrue('three probes were made', hasProbed);
  const { claims } = await counts();
  // A worker may find that its own breaker is still open; it makes no call then.
  expect(claims - before.claims).toBeLessThanOrEqual(15);

  await cluster.control.setScript({ rules: [] });
  await untilTrue('all are completed', async () => (await counts()).ended === PARKED, 180_000);
});
