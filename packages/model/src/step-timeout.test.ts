import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SimControl, startModelSim, type ModelSim } from '@turnpike/model-sim';
import type { GuardedModel } from './create-model.ts';
import { callTestModel, testModel } from './testing/test-model.ts';
import { failureOf } from './testing/test-turns.ts';

let sim: ModelSim;
let control: SimControl;
let model: GuardedModel;

beforeEach(async () => {
  sim = await startModelSim({ port: 0 });
  control = new SimControl(sim.controlUrl);
  ({ model } = testModel(sim.url));
});
afterEach(async () => {
  await model.close();
  await sim.close();
});

describe('a step that takes longer than the agent allows', () => {
  it('ends, also during a request, which is aborted and counted', async () => {
    await control.setScript({ rules: [{ fault: { type: 'hang', after_events: 4 } }] });
    const { response } = callTestModel(model, { stepTimeoutMs: 300 });
    expect(await failureOf(response)).toMatchObject({
      code: 'model_step_timeout',
      terminal: false,
      attempts: 1,
      retryAfterMs: undefined,
    });
    await control.calls({ waitFor: 1, outcome: 'aborted' });
  });

  it('does not wait for a retry that is past its end', async () => {
    const headers = { 'retry-after': '3' };
    await control.setScript({ rules: [{ fault: { type: 'status', status: 529, headers } }] });
    expect(await failureOf(callTestModel(model, { stepTimeoutMs: 2_000 }).response)).toMatchObject({
      code: 'model_step_timeout',
      terminal: false,
      attempts: 1,
      retryAfterMs: undefined,
    });
    expect((await control.stats()).calls).toBe(1);
  });

  it('is not one that is parked, as the API asked', async () => {
    const headers = { 'retry-after': '30' };
    await control.setScript({ rules: [{ fault: { type: 'status', status: 429, headers } }] });
    const error = await failureOf(callTestModel(model, { stepTimeoutMs: 10_000 }).response);
    expect(error).toMatchObject({ code: 'model_rate_limited', terminal: false, attempts: 1 });
    // What is left of them: longer than the step may take, and than we would wait by ourselves.
    expect(error.retryAfterMs).toBeGreaterThan(10_000);
  });
});
