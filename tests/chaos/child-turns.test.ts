import { afterEach, expect, test } from '@jest/globals';
import { byLength, testOfLongForm } from '../support/test-length.ts';
import { untilTrue } from '../support/until-true.ts';
import { CASE_LIMIT_MS } from './support/chaos-length.ts';
import { brokenBuild, ChaosCluster } from './support/chaos-cluster.ts';
import { checkFamilies, createFamilyAgents, scriptOfFamilies, submitParents } from './support/families.ts';
import { FaultInjector, killWorker } from './support/fault-injector.ts';
import { startChance } from './support/seeded-random.ts';
import { untilAllEnded } from './support/until-ended.ts';

const SIZE = byLength({
  short: { workers: 2, parents: 3, children: 5, faults: 2 },
  long: { workers: 3, parents: 5, children: 20, faults: 30 },
});

let chaos: ChaosCluster;
afterEach(() => chaos.stop());

const countChildren = async (which = 'true'): Promise<number> => {
  const { rows } = await chaos.cluster.database.pool.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM turns WHERE parent_turn_id IS NOT NULL AND ${which}`,
  );
  return rows[0]?.count ?? 0;
};

test(
  'workers are killed while turns wait for their child turns: each gives one answer, and each call has one child turn that acted once',
  async () => {
    const random = startChance();
    chaos = await ChaosCluster.start({ workers: SIZE.workers });
    const agentId = await createFamilyAgents(chaos);
    await chaos.cluster.control.setScript(scriptOfFamilies(SIZE.children, 200));
    chaos.effects.delayMs = 200;
    const parents = await submitParents(chaos, agentId, SIZE.parents);
    // The worst moment: child turns are being started.
    await untilTrue('a child turn is there', async () => (await countChildren()) > 0);
    await Promise.all([...chaos.workers].map((worker) => chaos.killWorker(worker)));
    for (let count = 0; count < SIZE.workers; count++) chaos.replaceWorker();
    const faultInjector = new FaultInjector(chaos, random, { everyMs: 500, fault: killWorker });
    await untilTrue('there were enough faults', () => faultInjector.count >= SIZE.faults, CASE_LIMIT_MS);
    await untilAllEnded(chaos);
    await faultInjector.stop();
    await chaos.untilReplaced();
    process.stdout.write(`[chaos] ${parents.length} parents, ${faultInjector.count} faults\n`);
    await checkFamilies(chaos, parents, SIZE.children);
  },
  CASE_LIMIT_MS,
);

testOfLongForm(
  'a build that does not find the child turn that a call has already is caught when a worker is killed',
  async () => {
    startChance();
    chaos = await ChaosCluster.start({ workers: 1, worker: brokenBuild('children-again') });
    const agentId = await createFamilyAgents(chaos);
    // It starts more with every lease, without end.
    await chaos.cluster.database.pool.query(`UPDATE tenants SET limits = '{"max_child_turns": 8}'`);
    await chaos.cluster.control.setScript(scriptOfFamilies(2, 200));
    const parents = await submitParents(chaos, agentId, 1);
    await untilTrue('a child turn is there', async () => (await countChildren()) > 0);
    await Promise.all([...chaos.workers].map((worker) => chaos.killWorker(worker)));
    await chaos.startWorker();
    await untilAllEnded(chaos);
    await expect(checkFamilies(chaos, parents, 2)).rejects.toThrow(/has \d+ child turns for 2 calls/);
  },
  CASE_LIMIT_MS,
);

test(
  'turns are cancelled while their child turns run and workers are killed: nothing below them stays open',
  async () => {
    const random = startChance();
    chaos = await ChaosCluster.start({ workers: 2 });
    const agentId = await createFamilyAgents(chaos);
    await chaos.cluster.control.setScript({
      ...scriptOfFamilies(SIZE.children, 100),
      rules: [
        { match: { text: 'a part' }, fault: { type: 'hang', after_events: 2 } },
        ...(scriptOfFamilies(SIZE.children, 100).rules ?? []),
      ],
    });
    const faultInjector = new FaultInjector(chaos, random, { everyMs: 500, fault: killWorker });
    const parents = await submitParents(chaos, agentId, SIZE.parents);
    await untilTrue(
      'all child turns are there',
      async () => (await countChildren()) === SIZE.parents * SIZE.children,
      CASE_LIMIT_MS,
    );
    await Promise.all(parents.map(({ id }) => chaos.cluster.cancel(id)));
    await untilAllEnded(chaos);
    await faultInjector.stop();
    await chaos.untilReplaced();
    expect(await countChildren(`status <> 'cancelled'`)).toBe(0);
    for (const { id } of parents) expect((await chaos.cluster.read(id)).status).toBe('cancelled');
  },
  CASE_LIMIT_MS,
);
