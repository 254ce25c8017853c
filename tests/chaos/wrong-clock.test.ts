import { afterEach, expect, test } from '@jest/globals';
import { byLength } from '../support/test-length.ts';
import { CASE_LIMIT_MS } from './support/chaos-length.ts';
import { ChaosCluster } from './support/chaos-cluster.ts';
import { checkTruth } from './support/check-truth.ts';
import { startChance } from './support/seeded-random.ts';
import { untilAllEnded } from './support/until-ended.ts';
import { scriptOfPlans, submitTurns } from './support/workload.ts';

const TURNS = byLength({ short: 10, long: 200 });
const HOUR_MS = 3_600_000;

let chaos: ChaosCluster;
afterEach(() => chaos.stop());

test(
  'workers whose clocks are an hour early and an hour late work as any other, and write down the right times',
  async () => {
    startChance();
    const from = Date.now();
    chaos = await ChaosCluster.start({ workers: 0, environment: { LEASE_MS: '15000' } });
    for (const shift of [HOUR_MS, -HOUR_MS]) {
      await chaos.startWorker({
        environment: { CHAOS_CLOCK_SHIFT_MS: String(shift) },
        preload: 'shift-clock.mjs',
      });
    }
    await chaos.cluster.control.setScript(scriptOfPlans());
    const turns = await submitTurns(chaos, TURNS);
    await untilAllEnded(chaos);
    const { turns: stored } = await checkTruth(chaos, turns);
    expect(new Set(stored.map((turn) => turn.attempts))).toEqual(new Set([1]));
    const times = stored.flatMap(({ createdAt, startedAt, finishedAt, steps, toolCalls }) => [
      createdAt,
      startedAt,
      finishedAt,
      ...steps.flatMap((step) => [step.startedAt, step.completedAt]),
      ...toolCalls.map((call) => call.completedAt),
    ]);
    expect(times.filter((time) => time === null || time < from - 1 || time > Date.now() + 1)).toEqual([]);
  },
  CASE_LIMIT_MS,
);

test(
  'a turn has its deadline by the time of the database, whatever the clock of its worker says',
  async () => {
    startChance();
    chaos = await ChaosCluster.start({ workers: 0 });
    await chaos.startWorker({
      environment: { CHAOS_CLOCK_SHIFT_MS: String(HOUR_MS) },
      preload: 'shift-clock.mjs',
    });
    await chaos.cluster.control.setScript({
      rules: [{ match: { text: 'never' }, fault: { type: 'hang', after_events: 2 } }],
    });
    const { cluster, agentId } = chaos;
    const late = await cluster.submit({ agentId }, 'never', { deadline_ms: 2_000 });
    const fine = await cluster.submit({ agentId }, 'Hello', { deadline_ms: 600_000 });
    expect((await cluster.untilEnded(fine.id, CASE_LIMIT_MS)).status).toBe('completed');
    expect(await cluster.untilEnded(late.id, CASE_LIMIT_MS)).toMatchObject({
      status: 'incomplete',
      stop_reason: 'deadline',
    });
  },
  CASE_LIMIT_MS,
);
