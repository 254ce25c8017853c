import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, test } from '@jest/globals';
import { byLength } from '../support/test-length.ts';
import { CASE_LIMIT_MS } from './support/chaos-length.ts';
import { ChaosCluster } from './support/chaos-cluster.ts';
import { checkTruth } from './support/check-truth.ts';
import { startChance } from './support/seeded-random.ts';
import { untilAllEnded } from './support/until-ended.ts';
import { scriptOfPlans, submitTurn, type Plan } from './support/workload.ts';

const { turns: TURNS, outageMs: OUTAGE_MS } = byLength({
  short: { turns: 60, outageMs: 5_000 },
  long: { turns: 1_000, outageMs: 60_000 },
});
const WORKERS = 2;

/** What a tenant has for a model to begin with, and what each minute adds (packages/model/src/retry-budget.ts). */
const ALLOWANCE = 10;
const EACH_MINUTE = 6;

/** One model call that answers. */
const ANSWER: Plan = [];

let chaos: ChaosCluster;
afterEach(() => chaos.stop());

test(
  'the model is overloaded for a while: it is asked again within the retry budget only, and then every turn completes',
  async () => {
    startChance();
    chaos = await ChaosCluster.start({ workers: WORKERS, environment: { LEASE_MS: '15000' } });
    const { control } = chaos.cluster;
    await control.setScript({ rules: [{ fault: { type: 'status', status: 529 } }] });
    const began = performance.now();
    const turns = await Promise.all(
      Array.from({ length: TURNS }, (_, number) => submitTurn(chaos, `turn-${number}`, ANSWER)),
    );
    await control.calls({ waitFor: 1 });
    await delay(OUTAGE_MS);
    await control.setScript(scriptOfPlans({}, [ANSWER]));
    const minutes = (performance.now() - began) / 60_000;
    const { failed } = await control.stats();
    // Each turn's first request is none that was made again. Every process may have a budget of its own.
    const budget = WORKERS * Math.ceil(ALLOWANCE + EACH_MINUTE * minutes);
    expect(failed).toBeLessThanOrEqual(TURNS + budget);
    process.stdout.write(`[chaos] ${failed} calls in the outage, ${TURNS} turns\n`);

    await untilAllEnded(chaos);
    await checkTruth(chaos, turns);
    expect(await control.stats()).toMatchObject({ duplicates: 0 });
  },
  CASE_LIMIT_MS,
);
