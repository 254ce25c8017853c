import { afterEach, expect, test } from '@jest/globals';
import { byLength } from '../support/test-length.ts';
import { CASE_LIMIT_MS } from './support/chaos-length.ts';
import { ChaosCluster } from './support/chaos-cluster.ts';
import { checkTruth } from './support/check-truth.ts';
import { startChance } from './support/seeded-random.ts';
import { untilAllEnded } from './support/until-ended.ts';
import { planOf, scriptOfPlans, submitTurn, submitTurns } from './support/workload.ts';

const { turns: TURNS, workers: WORKERS } = byLength({
  short: { turns: 20, workers: 2 },
  long: { turns: 300, workers: 3 },
});
/** Long enough for a tool call on a busy machine; the slow model calls outlast it. */
const DRAIN_MS = 8_000;
const SLOW_TURNS = 3;
/** Longer than replacing all workers takes on any machine. */
const SLOW_MS = 240_000;

let chaos: ChaosCluster;
afterEach(() => chaos.stop());

test(
  'workers are replaced one after another under load: nothing is lost or repeated, and none waits for a model call of minutes',
  async () => {
    startChance();
    chaos = await ChaosCluster.start({
      workers: WORKERS,
      environment: { DRAIN_MS: String(DRAIN_MS), LEASE_MS: '15000' },
    });
    await chaos.cluster.control.setScript(
      scriptOfPlans({
        // The second call of a turn gets a response at once, so only the first worker can be delayed by it.
        rules: [
          {
            match: { text: 'slowly' },
            times: SLOW_TURNS,
            pace: { first_token_ms: SLOW_MS },
          },
        ],
      }),
    );
    chaos.effects.delayMs = 150;
    const slow = await Promise.all(
      Array.from({ length: SLOW_TURNS }, (_, number) =>
        submitTurn(chaos, `slow-${number}`, planOf(number), { more: 'slowly' }),
      ),
    );
    await chaos.cluster.control.calls({ waitFor: SLOW_TURNS });
    const turns = await submitTurns(chaos, TURNS);
    const old = [...chaos.workers];
    for (const worker of old) {
      await chaos.startWorker();
      // A worker that did not stop by itself in time ends with 1.
      expect(await chaos.drainWorker(worker)).toBe(0);
    }
    await untilAllEnded(chaos);
    const truth = await checkTruth(chaos, [...slow, ...turns]);
    expect(truth.turns.filter((turn) => turn.lostLeases > 0)).toEqual([]);
    const calls = truth.turns.flatMap((turn) => turn.toolCalls);
    expect(calls.filter((call) => call.status !== 'completed' || call.isError)).toEqual([]);
    const long = truth.turns.flatMap((turn) => turn.steps.map((step) => step.completedAt - step.startedAt));
    expect(Math.max(...long)).toBeLessThan(SLOW_MS);
  },
  CASE_LIMIT_MS,
);
