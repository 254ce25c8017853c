import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createCallGuard, type CallGuardSettings } from '@turnpike/egress';
import { SimControl, startModelSim, type ModelSim } from '@turnpike/model-sim';
import type { GuardedModel } from './create-model.ts';
import { createRetryBudget, type RetryBudget, type RetryBudgetSettings } from './retry-budget.ts';
import { callTestModel, testModel } from './testing/test-model.ts';
import { failureOf, Slots, untilResponse } from './testing/test-turns.ts';

let sim: ModelSim;
let control: SimControl;
let model: GuardedModel;
/** Retries that the budget granted, and those of them that it got back. */
let granted: number;
let returned: number;

beforeEach(async () => {
  sim = await startModelSim({ port: 0 });
  control = new SimControl(sim.controlUrl);
});
afterEach(async () => {
  await model.close();
  await sim.close();
});

const HOUR_MS = 3_600_000;
const FOR_GOOD: CallGuardSettings = { openMs: HOUR_MS, maxOpenMs: HOUR_MS };
const FOR_A_MOMENT: CallGuardSettings = { openMs: 150, maxOpenMs: 250, probeMs: HOUR_MS };

/** A model whose parked calls come back soon, and a budget to which time adds nothing unless told so. */
function openModel(guard: CallGuardSettings, budget: RetryBudgetSettings = {}): void {
  const own = createRetryBudget({ perMinute: 0, ...budget });
  granted = 0;
  returned = 0;
  const retryBudget: RetryBudget = {
    async take(key) {
      const isGranted = await own.take(key);
      if (isGranted) granted += 1;
      return isGranted;
    },
    deposit(key, wasRetry) {
      if (wasRetry === true) returned += 1;
      own.deposit(key, wasRetry);
    },
  };
  const limits = { parkSpreadMs: 40, budgetWaitMs: 40 };
  const settings = { guard: createCallGuard({ slots: 1_000, ...guard }), retryBudget, limits };
  ({ model } = testModel(sim.url, settings));
}

const overloaded = (more: object = {}) => ({
  rules: [{ ...more, fault: { type: 'status' as const, status: 529 } }],
});

const DIGITS = { text: { regex: '^[0-9]+$' } };

/** Calls, of digits alone, that fail until the breaker is open. */
async function breakOpen(): Promise<void> {
  const calls = Array.from({ length: 10 }, (_, n) =>
    failureOf(callTestModel(model, { text: `${n}` }).response),
  );
  await Promise.all(calls);
  expect(model.breakers().open).toBe(1);
}

describe('an API that is down', () => {
  it('gets the first request of each call and a budget of retries, and then no requests', async () => {
    openModel(FOR_GOOD);
    await control.setScript(overloaded());
    const errors = await Promise.all(
      Array.from({ length: 200 }, (_, n) => failureOf(callTestModel(model, { text: `First ${n}` }).response)),
    );
    const { calls } = await control.stats();
    expect(calls).toBeLessThanOrEqual(210);
    expect(calls).toBe(200 + granted);
    for (const { terminal, retryAfterMs, attempts } of errors) {
      expect({ terminal, parked: retryAfterMs !== undefined }).toEqual({ terminal: false, parked: true });
      expect(attempts).toBeLessThan(3);
    }

    // From here on a call costs nothing: no request, no attempt, nothing of the budget.
    const budgetBefore = granted;
    for (const previousAttempts of [0, 1, 2]) {
      const refused = await Promise.all(
        Array.from({ length: 50 }, (_, n) =>
          failureOf(callTestModel(model, { text: `Later ${n}`, previousAttempts }).response),
        ),
      );
      for (const error of refused) {
        expect(error).toMatchObject({
          code: 'model_circuit_open',
          terminal: false,
          attempts: previousAttempts,
        });
        expect(error.retryAfterMs).toBeGreaterThan(HOUR_MS / 2 - 60_000);
      }
      expect(new Set(refused.map(({ retryAfterMs }) => retryAfterMs)).size).toBeGreaterThan(1);
    }
    expect((await control.stats()).calls).toBe(calls);
    expect(granted).toBe(budgetBefore);
  });

  it('fails no turn, however long it lasts, and failed retries stay within the budget', async () => {
    const perMinute = 600;
    openModel(FOR_A_MOMENT, { perMinute });
    await control.setScript(overloaded());
    const startedAt = performance.now();
    const slots = new Slots(20);
    const turns = Promise.all(
      Array.from({ length: 120 }, (_, n) => untilResponse(model, { text: `Turn ${n}` }, slots)),
    );
    // Those that were under way as it opened, and then one probe after the other.
    await control.calls({ waitFor: 50 });
    await control.setScript({ rules: [] });
    const answers = await turns;
    expect(answers.map(({ stopReason }) => stopReason)).toEqual(answers.map(() => 'end_turn'));

    const { completed, failed } = await control.stats();
    expect(completed).toBe(120);
    expect(failed).toBeGreaterThanOrEqual(50);
    const minutes = (performance.now() - startedAt) / 60_000;
    expect(granted - returned).toBeLessThanOrEqual(10 + completed / 10 + perMinute * minutes);
  });

  it('does not use up the last attempt of the turn that probes it', async () => {
    openModel(FOR_A_MOMENT, { allowance: 100 });
    await control.setScript(overloaded({ times: 30 }));
    await breakOpen();
    const { attempts } = await untilResponse(model, { text: 'Mine' });
    expect(attempts).toBe(3);
    expect((await control.stats()).failed).toBe(30);
  });

  it('closes the circuit breaker as soon as a response begins, not at its end', async () => {
    openModel(FOR_A_MOMENT, { allowance: 100 });
    await control.setScript({
      rules: [
        { match: { text: 'slow' }, fault: { type: 'hang', after_events: 2 } },
        ...overloaded({ match: DIGITS }).rules,
      ],
    });
    await breakOpen();
    const slow = untilResponse(model, { text: 'slow' });
    await control.calls({ waitFor: 1, outcome: 'hung' });
    expect(await untilResponse(model, { text: 'quick' })).toMatchObject({ stopReason: 'end_turn' });
    await control.release();
    expect(await slow).toMatchObject({ stopReason: 'end_turn' });
  });

  it('opens the circuit breaker of one tenant, and not of another', async () => {
    openModel(FOR_GOOD);
    await control.setScript(overloaded({ match: DIGITS }));
    await breakOpen();
    expect(await failureOf(callTestModel(model, { text: 'well' }).response)).toMatchObject({
      code: 'model_circuit_open',
    });
    const other = callTestModel(model, { text: 'well', tenantId: 'ten_2' });
    expect(await other.response).toMatchObject({ stopReason: 'end_turn' });
  });

  it('is not one that refuses requests for their contents or their rate', async () => {
    openModel(FOR_GOOD);
    await control.setScript({
      rules: [
        { match: { text: 'wrong' }, fault: { type: 'status', status: 400 } },
        {
          match: { text: 'often' },
          fault: { type: 'status', status: 429, headers: { 'retry-after': '60' } },
        },
      ],
    });
    for (const kind of ['wrong', 'often']) {
      const tenantId = kind;
      for (let n = 0; n < 15; n++)
        await failureOf(callTestModel(model, { text: `${kind} ${n}`, tenantId }).response);
      expect(await callTestModel(model, { text: 'right', tenantId }).response).toMatchObject({
        stopReason: 'end_turn',
      });
    }
  });
});

describe('a step whose lease used up its attempts', () => {
  it('is parked, longer each time, and fails when all attempts are used up', async () => {
    await control.setScript(overloaded());
    const limits = {
      maxAttempts: 2,
      maxTotalAttempts: 6,
      parkBaseMs: 1_000,
      parkCapMs: 1_500,
      parkSpreadMs: 1,
    };
    ({ model } = testModel(sim.url, { limits }));
    const waits: (number | undefined)[] = [];
    for (const previousAttempts of [0, 2, 4]) {
      const error = await failureOf(callTestModel(model, { previousAttempts }).response);
      expect(error).toMatchObject({ code: 'model_overloaded', attempts: previousAttempts + 2 });
      waits.push(error.retryAfterMs);
    }
    expect(waits[0]).toBeGreaterThanOrEqual(1_000);
    expect(waits[1]).toBeGreaterThanOrEqual(1_500);
    expect(waits[2]).toBeUndefined();
  });
});

describe('an API that hangs', () => {
  it('for one tenant does not delay another; calls without a free slot are parked', async () => {
    openModel({ ...FOR_GOOD, slots: 2, maxWaiting: 0 });
    await control.setScript({
      rules: [{ match: { text: 'hang' }, fault: { type: 'hang', after_events: 0 } }],
    });
    const hung = ['hang 1', 'hang 2'].map((text) => callTestModel(model, { text }).response);
    await control.calls({ waitFor: 2, outcome: 'hung' });
    expect(await failureOf(callTestModel(model, { text: 'well' }).response)).toMatchObject({
      code: 'model_busy',
      terminal: false,
      attempts: 0,
      retryAfterMs: expect.any(Number),
    });
    const other = callTestModel(model, { text: 'well', tenantId: 'ten_2' });
    expect(await other.response).toMatchObject({ stopReason: 'end_turn' });
    await control.release();
    await Promise.all(hung);
  });

  it('opens the circuit breaker once steps ran out of time without a response', async () => {
    openModel(FOR_GOOD);
    await control.setScript({ rules: [{ fault: { type: 'hang', after_events: 0 } }] });
    const cut = Array.from({ length: 10 }, (_, n) =>
      failureOf(callTestModel(model, { text: `${n}`, stepTimeoutMs: 1_000 }).response),
    );
    // Those that ended before it was known are over; what comes later waits.
    for (const error of await Promise.all(cut)) expect(error).toMatchObject({ attempts: 1, terminal: false });
    expect(model.breakers().open).toBe(1);
  });
});
