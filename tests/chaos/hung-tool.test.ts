import { afterEach, expect, test } from '@jest/globals';
import { untilTrue } from '../support/until-true.ts';
import { CASE_LIMIT_MS } from './support/chaos-length.ts';
import { ChaosCluster } from './support/chaos-cluster.ts';
import { EffectServer } from './support/effect-server.ts';
import { readTruth } from './support/read-truth.ts';
import { startChance } from './support/seeded-random.ts';
import { scriptOfPlans, submitTurns, type PlannedTurn } from './support/workload.ts';

/** More than one origin has slots for, fewer than a worker has in all. */
const HUNG_TURNS = 90;
const HEALTHY_TURNS = 20;
const GENEROUS = 3;
const MOMENT_MS = 1_000;

let chaos: ChaosCluster;
let hung: EffectServer;
afterEach(async () => {
  await chaos.stop();
  await hung.stop();
});

async function untilEnded(turns: readonly PlannedTurn[]): Promise<void> {
  await untilTrue(
    'these turns end',
    async () => (await finished(turns)).length === turns.length,
    CASE_LIMIT_MS,
  );
}

async function finished(turns: readonly PlannedTurn[]) {
  const ids = new Set(turns.map((turn) => turn.id));
  const truth = await readTruth(chaos);
  return truth.turns.filter((turn) => ids.has(turn.id) && turn.finishedAt !== null);
}

/** The middle one of the times from pickup to end. */
async function latencyOf(turns: readonly PlannedTurn[]): Promise<number> {
  const times = (await finished(turns)).map((turn) => Number(turn.finishedAt) - Number(turn.startedAt));
  return times.toSorted((one, other) => one - other)[Math.floor(times.length / 2)] ?? Number.NaN;
}

test(
  'a tool that hangs for ever fills only its own slots: turns with other tools take as long as without it',
  async () => {
    startChance();
    hung = await EffectServer.start();
    hung.hang('read');
    chaos = await ChaosCluster.start({
      workers: 1,
      environment: { LEASE_MS: '15000', CONCURRENCY: '100' },
    });
    await chaos.cluster.control.setScript(
      scriptOfPlans({
        rules: [
          {
            match: { text: 'hang', step: 0 },
            reply: { tool_uses: [{ name: 'hung', input: { turn: 'hung' } }] },
          },
        ],
      }),
    );
    await chaos.registerTool('read', hung.urls.read, { name: 'hung', timeout_ms: 600_000 });
    const { id: agentId } = await chaos.cluster.createAgent({ tools: [{ type: 'http', name: 'hung' }] });

    const without = await submitTurns(chaos, HEALTHY_TURNS);
    await untilEnded(without);

    const stuck = await Promise.all(
      Array.from({ length: HUNG_TURNS }, () => chaos.cluster.submit({ agentId }, 'hang, please')),
    );
    await untilTrue(
      'calls that found no slot of the tool have failed, and the others hang',
      async () => {
        const { turns } = await readTruth(chaos);
        const open = turns.filter((turn) => turn.finishedAt === null).length;
        return open === hung.open('read').length;
      },
      CASE_LIMIT_MS,
    );
    const stillHung = hung.open('read').length;
    expect(stillHung).toBeGreaterThan(0);
    expect(stillHung).toBeLessThan(HUNG_TURNS);

    const beside = await submitTurns(chaos, HEALTHY_TURNS);
    await untilEnded(beside);
    expect(hung.open('read')).toHaveLength(stillHung);
    expect(await latencyOf(beside)).toBeLessThan(GENEROUS * (await latencyOf(without)) + MOMENT_MS);

    hung.letGo();
    for (const turn of stuck) {
      expect((await chaos.cluster.untilEnded(turn.id, CASE_LIMIT_MS)).status).toBe('completed');
    }
  },
  CASE_LIMIT_MS,
);
