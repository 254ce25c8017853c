import { afterEach, expect, test } from '@jest/globals';
import { untilTrue } from '../support/until-true.ts';
import { byLength, testOfLongForm } from '../support/test-length.ts';
import { CASE_LIMIT_MS } from './support/chaos-length.ts';
import { brokenBuild, ChaosCluster } from './support/chaos-cluster.ts';
import { checkTruth } from './support/check-truth.ts';
import { killWorker, FaultInjector } from './support/fault-injector.ts';
import { readTruth, type StoredTurn } from './support/read-truth.ts';
import { runUnder } from './support/run-under.ts';
import { startChance } from './support/seeded-random.ts';
import { StepServer } from './support/step-server.ts';
import { untilAllEnded } from './support/until-ended.ts';
import { scriptOfPlans, submitTurns } from './support/workload.ts';

const LEAST = byLength({ short: { turns: 12, faults: 2 }, long: { turns: 500, faults: 30 } });
/** A worker that dies in the midst of one acts leaves a step of it without an outcome. */
const STEP_MS = 100;
const SCRIPT_OF_STEPS = {
  defaults: { first_token_ms: 50, tokens_per_second: 200 },
  rules: [
    { match: { step: 0 }, reply: { tool_uses: [{ name: 'steps', input: { turn: '{{turn}}' } }] } },
    { match: { step: 1 }, reply: { text: 'All is done.' } },
  ],
};

let chaos: ChaosCluster;
let steps: StepServer | undefined;
afterEach(async () => {
  await chaos.stop();
  steps?.close();
  steps = undefined;
});

test(
  'workers with tools in code are killed all the time: each tool acts as often as it declares',
  async () => {
    const random = startChance();
    chaos = await ChaosCluster.start({ workers: 2, code: true });
    await chaos.cluster.control.setScript(scriptOfPlans());
    chaos.effects.delayMs = 200;
    const faultInjector = new FaultInjector(chaos, random, { everyMs: 500, fault: killWorker });
    await checkTruth(chaos, await runUnder(chaos, faultInjector, LEAST));
  },
  CASE_LIMIT_MS,
);

testOfLongForm(
  'a build that does not look at what was run already is caught when its workers are killed',
  async () => {
    startChance();
    chaos = await ChaosCluster.start({ workers: 1, code: true, worker: brokenBuild('receipts-off') });
    await chaos.cluster.control.setScript(scriptOfPlans());
    chaos.effects.delayMs = 200;
    const turns = await submitTurns(chaos, 8);
    await untilTrue('a call that acts once is being made', () => chaos.effects.open('once').length > 0);
    await Promise.all([...chaos.workers].map((worker) => chaos.killWorker(worker)));
    await chaos.startWorker();
    await untilAllEnded(chaos);
    await expect(checkTruth(chaos, turns)).rejects.toThrow(/once call .* was sent \d times/);
  },
  CASE_LIMIT_MS,
);

async function startSteps(settings: Parameters<typeof ChaosCluster.start>[0]): Promise<StepServer> {
  steps = await StepServer.start(STEP_MS);
  chaos = await ChaosCluster.start({ ...settings, code: true, environment: { STEP_URL: steps.url } });
  chaos.agentId = await chaos.createAgent({ tools: [{ type: 'code', name: 'steps' }] });
  await chaos.cluster.control.setScript(SCRIPT_OF_STEPS);
  return steps;
}

/** No step was done twice, and a call that has its result has done each step. Throws what does not hold. */
async function checkSteps({ acts }: StepServer): Promise<StoredTurn[]> {
  const { turns } = await readTruth(chaos);
  const violations = [...acts].flatMap(([key, count]) =>
    count > 1 ? [`${key} was done ${count} times`] : [],
  );
  for (const { id, status, toolCalls } of turns) {
    if (status !== 'completed') violations.push(`${id} is ${status}`);
    for (const call of toolCalls) {
      const done = ['one', 'two', 'three'].filter((name) => acts.has(`${call.id}:${name}`)).length;
      // A call that began no step may have been told that its tool is busy.
      const isWhole = call.isError ? done === 0 : done === 3;
      if (call.status === 'completed' && !isWhole) {
        violations.push(`${call.id} has a result, and ${done} of its steps were done`);
      }
    }
  }
  if (violations.length > 0) throw new Error(violations.join('\n'));
  return turns;
}

test(
  'workers are killed in the midst of durable steps: no step is done twice, and calls go on after those that were done',
  async () => {
    const random = startChance();
    const server = await startSteps({ workers: 2 });
    const faultInjector = new FaultInjector(chaos, random, { everyMs: 400, fault: killWorker });
    await runUnder(chaos, faultInjector, LEAST);
    const turns = await checkSteps(server);
    const finished = turns.filter(({ toolCalls }) => toolCalls.every(({ status }) => status === 'completed'));
    expect(finished.length).toBeGreaterThan(0);
  },
  CASE_LIMIT_MS,
);

testOfLongForm(
  'a build that does not look at the steps that were done is caught when its workers are killed',
  async () => {
    startChance();
    const server = await startSteps({ workers: 1, worker: brokenBuild('steps-off') });
    await submitTurns(chaos, 6);
    await untilTrue('steps are done, and one is being done', () => server.acts.size > 6 && server.open > 0);
    await Promise.all([...chaos.workers].map((worker) => chaos.killWorker(worker)));
    await chaos.startWorker();
    await untilAllEnded(chaos);
    await expect(checkSteps(server)).rejects.toThrow(/was done \d times/);
  },
  CASE_LIMIT_MS,
);
