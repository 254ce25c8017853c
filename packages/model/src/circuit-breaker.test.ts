import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ModelError, type ModelAnswer } from '@turnpike/contract';
import { createCallGuard } from '@turnpike/egress';
import { SimControl, startModelSim, type ModelSim } from '@turnpike/model-sim';
import type { GuardedModel } from './create-model.ts';
import { createRetryBudget } from './retry-budget.ts';
import { callOnTrial, modelOnTrial } from './testing/model-on-trial.ts';

let sim: ModelSim;
let control: SimControl;
let model: GuardedModel;

beforeEach(async () => {
  sim = await startModelSim({ port: 0 });
  control = new SimControl(sim.controlUrl);
  model = openModel(600);
});

/** The budget as it is, but for what time adds in a minute. */
function openModel(perMinute: number): GuardedModel {
  const guard = createCallGuard({ places: 1_000, openMs: 100, maxOpenMs: 400 });
  const retryBudget = createRetryBudget({ perMinute });
  const limits = { parkSpreadMs: 50, budgetWaitMs: 50 };
  return modelOnTrial(sim.url, { guard, retryBudget, limits }).model;
}

afterEach(async () => {
  await model.close();
  await sim.close();
});

const OVERLOADED = { rules: [{ fault: { type: 'status' as const, status: 529 } }] };

/** As the worker does: a call that was parked is made again after its wait, with its attempts. */
async function untilAnswered(text: string): Promise<ModelAnswer> {
  let previousAttempts = 0;
  for (;;) {
    try {
      return await callOnTrial(model, { text, options: { previousAttempts } }).answer;
    } catch (error) {
      if (!(error instanceof ModelError) || error.retryAfterMs === undefined) throw error;
      previousAttempts = error.attempts;
      await new Promise((resolve) => setTimeout(resolve, error.retryAfterMs));
    }
  }
}

test('an API that is down is met with its first requests and a budget of retries, and then left alone', async () => {
  await control.setScript(OVERLOADED);
  await model.close();
  model = openModel(0);
  const errors = await Promise.all(
    Array.from({ length: 200 }, (_, n) =>
      callOnTrial(model, { text: `Question ${n}` }).answer.catch((error: unknown) => error),
    ),
  );
  // Each of them left once, since all came at one moment; ten retries were in the budget.
  const { calls } = await control.stats();
  expect(calls).toBeLessThanOrEqual(210);
  expect(errors.every((error) => error instanceof ModelError && !error.terminal)).toBe(true);

  const later = await Promise.all(
    Array.from({ length: 100 }, (_, n) =>
      callOnTrial(model, { text: `Later ${n}` }).answer.catch((error: unknown) => error),
    ),
  );
  // A probe or two went through meanwhile; the others never left, and no attempt is counted for them.
  expect((await control.stats()).calls - calls).toBeLessThan(20);
  const parked = later.filter((error) => error instanceof ModelError && error.code === 'model_circuit_open');
  expect(parked.length).toBeGreaterThan(80);
  for (const error of parked as ModelError[]) {
    expect(error.attempts).toBe(0);
    expect(error.retryAfterMs).toBeGreaterThan(0);
  }
});

test('what was parked is answered once the API is well again', async () => {
  await control.setScript({ rules: [{ times: 40, fault: { type: 'status', status: 529 } }] });
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, n) => untilAnswered(`Question ${n}`).catch((error: unknown) => error)),
  );
  const answered = answers.filter((answer) => !(answer instanceof Error));
  // A question may have used up its three attempts; none waits for ever, and none is asked more often.
  expect(answered.length).toBeGreaterThan(40);
  for (const failed of answers.filter((answer) => answer instanceof Error)) {
    expect(failed).toMatchObject({ attempts: 3, retryAfterMs: undefined });
  }
});

test('requests that the API refuses for what they are, or for their rate, do not open the breaker', async () => {
  await control.setScript({
    rules: [
      { match: { text: 'wrong' }, fault: { type: 'status', status: 400 } },
      { match: { text: 'often' }, fault: { type: 'status', status: 429, headers: { 'retry-after': '60' } } },
    ],
  });
  for (let n = 0; n < 30; n++) {
    await callOnTrial(model, { text: `wrong ${n}` }).answer.catch(() => undefined);
    await callOnTrial(model, { text: `often ${n}` }).answer.catch(() => undefined);
  }
  expect((await callOnTrial(model, { text: 'right' }).answer).stopReason).toBe('end_turn');
});

test('one tenant’s outage is not another’s', async () => {
  await control.setScript({ rules: [{ match: { text: 'broken' }, fault: { type: 'status', status: 500 } }] });
  await Promise.all(
    Array.from({ length: 40 }, (_, n) =>
      callOnTrial(model, { text: `broken ${n}` }).answer.catch(() => undefined),
    ),
  );
  const refused = callOnTrial(model, { text: 'well' }).answer;
  await expect(refused).rejects.toMatchObject({ code: 'model_circuit_open' });
  const other = callOnTrial(model, { text: 'well', request: { tenantId: 'ten_2' } });
  expect((await other.answer).stopReason).toBe('end_turn');
});

test('a step whose lease used up its attempts waits without a worker, longer each time, and ends in the end', async () => {
  await control.setScript(OVERLOADED);
  const limits = {
    maxAttempts: 2,
    maxTotalAttempts: 6,
    parkBaseMs: 1_000,
    parkCapMs: 1_500,
    parkSpreadMs: 1,
  };
  await model.close();
  model = modelOnTrial(sim.url, { limits }).model;
  const parked: (number | undefined)[] = [];
  for (const previousAttempts of [0, 2, 4]) {
    const error: unknown = await callOnTrial(model, { options: { previousAttempts } }).answer.catch(
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ code: 'model_overloaded', attempts: previousAttempts + 2 });
    parked.push((error as ModelError).retryAfterMs);
  }
  expect(parked[0]).toBeGreaterThanOrEqual(1_000);
  expect(parked[1]).toBeGreaterThanOrEqual(1_500);
  expect(parked[2]).toBeUndefined();
});

test('a step that takes longer than the agent lets it ends, also within a request', async () => {
  await control.setScript({ rules: [{ fault: { type: 'hang', after_events: 2 } }] });
  const { answer } = callOnTrial(model, { options: { stepTimeoutMs: 200 } });
  await expect(answer).rejects.toMatchObject({
    code: 'model_step_timeout',
    terminal: false,
    attempts: 1,
    retryAfterMs: undefined,
  });
});
