import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newId, NO_USAGE, type Advance, type Budget, type Turn, type UsageReport } from '@turnpike/contract';
import { advanceTurn, changeLimits, claimTurn, countSpending, reserveCost, setBudget } from '@turnpike/store';
import { TRANSITIONS } from '@turnpike/turns';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { startTestApi, type TestApi, type Client } from './testing/test-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi(await createTestDatabase());
});
afterAll(() => api.stop());

const DAY = new Date().toISOString().slice(0, 10);

interface Tenant extends Client {
  agentId: string;
}

async function tenantWithAgent(): Promise<Tenant> {
  const client = await api.addTenant();
  const { body } = await client.http.post('/v1/agents').send({ name: 'a', model: 'm' });
  return { ...client, agentId: body.id };
}

async function submit(tenant: Tenant, more: object = {}): Promise<Turn> {
  const { body } = await tenant.http
    .post('/v1/turns')
    .send({ agent_id: tenant.agentId, input: 'Hi', ...more })
    .expect(202);
  return body;
}

async function claim(turnId: string) {
  await api.dispatcher.settle();
  const turn = await claimTurn(api.database.pool, {
    turnId,
    epoch: 0,
    from: TRANSITIONS.claim.from,
    workerId: 'test',
    leaseMs: 60_000,
  });
  if (turn === null) throw new Error(`${turnId} cannot be claimed.`);
  return turn;
}

/** Ends a turn with a model call of this cost, or without a call because the budget is spent. */
async function end(turn: Awaited<ReturnType<typeof claim>>, costMicros: number | null): Promise<void> {
  const step: Advance['step'] = {
    id: newId('step'),
    type: 'model_call',
    model: 'm-1',
    stopReason: 'end_turn',
    usage: { ...NO_USAGE, input_tokens: 10, output_tokens: 2 },
    costMicros: costMicros ?? 0,
    attempts: 1,
    providerRequestId: null,
    durationMs: 1,
  };
  const output = [{ type: 'text', text: 'Hello.' }];
  const answered: Omit<Advance, 'events'> = {
    step,
    messages: [{ role: 'assistant', content: output }],
    outcome: { status: 'completed', stopReason: 'end_turn', output, error: null },
  };
  const stopped: Omit<Advance, 'events'> = {
    outcome: { status: 'incomplete', stopReason: 'budget', output: null, error: null },
  };
  const ending = costMicros === null ? stopped : answered;
  const fence = {
    turnId: turn.id,
    epoch: turn.epoch,
    from: TRANSITIONS.advance.from,
    eventCount: turn.eventCount,
  };
  const type = `turn.${ending.outcome?.status ?? 'completed'}` as const;
  await advanceTurn(api.database.pool, fence, {
    ...ending,
    events: [{ id: newId('event'), type, payload: {} }],
  });
}

async function spend(tenant: Tenant, costMicros: number, more: object = {}): Promise<Turn> {
  const turn = await submit(tenant, more);
  await end(await claim(turn.id), costMicros);
  return (await tenant.http.get(`/v1/turns/${turn.id}`)).body;
}

const budgetsOf = async (tenant: Client): Promise<Budget[]> =>
  (await tenant.http.get('/v1/budgets')).body.items;
const usageOf = async (tenant: Client, query = ''): Promise<UsageReport> =>
  (await tenant.http.get(`/v1/usage${query}`).expect(200)).body;
const eventsOf = async (tenant: Client): Promise<string[]> => {
  const sql = `SELECT type || ' ' || (payload ->> 'period') AS line FROM tenant_events WHERE tenant_id = $1 ORDER BY id`;
  const { rows } = await api.database.pool.query<{ line: string }>(sql, [tenant.tenantId]);
  return rows.map(({ line }) => line);
};

test('budgets are listed page by page', async () => {
  const tenant = await tenantWithAgent();
  for (const period of ['day', 'month'])
    await tenant.http.put(`/v1/budgets/${period}`).send({ limit_micros: 5 }).expect(200);
  const { body: all } = await tenant.http.get('/v1/budgets').expect(200);
  expect(all).toEqual({ object: 'list', items: [expect.anything(), expect.anything()], next_cursor: null });
  const { body: first } = await tenant.http.get('/v1/budgets?limit=1').expect(200);
  expect(first).toEqual({ object: 'list', items: [all.items[0]], next_cursor: expect.any(String) });
  const { body: last } = await tenant.http.get(`/v1/budgets?limit=1&cursor=${first.next_cursor}`).expect(200);
  expect(last).toEqual({ object: 'list', items: [all.items[1]], next_cursor: null });
});

describe('usage', () => {
  test('is the sum of the steps, by day, agent and model, and outlives the session', async () => {
    const tenant = await tenantWithAgent();
    const turn = await spend(tenant, 1_200);
    await spend(tenant, 300);
    expect(turn.cost_micros).toBe(1_200);
    const steps = await tenant.http.get(`/v1/turns/${turn.id}/steps`);
    expect(steps.body.items[0].cost_micros).toBe(1_200);
    await tenant.http.delete(`/v1/sessions/${turn.session_id}`).expect(204);

    const report = await usageOf(tenant, '?group_by=day,agent,model');
    const usage = { ...NO_USAGE, input_tokens: 20, output_tokens: 4 };
    const sums = { turns: 2, model_calls: 2, usage, cost_micros: 1_500 };
    expect(report.items).toEqual([{ day: DAY, agent_id: tenant.agentId, model: 'm-1', ...sums }]);
    expect(report.total).toEqual({ day: null, agent_id: null, model: null, ...sums });
    expect((await usageOf(tenant, '?to=2026-01-31&from=2026-01-01')).items).toEqual([]);
    expect((await usageOf(tenant, '?model=other')).total.cost_micros).toBe(0);
  });

  test('is that of the tenant alone', async () => {
    await spend(await tenantWithAgent(), 5_000);
    expect((await usageOf(await tenantWithAgent())).total.cost_micros).toBe(0);
  });

  test.each([
    '?from=2026-02-01&to=2026-01-01',
    '?from=2020-01-01&to=2026-01-01',
    '?group_by=hour',
    '?from=yesterday',
    '?agent_id=nobody',
  ])('%s is refused as invalid', async (query) => {
    const { body } = await api.client.http.get(`/v1/usage${query}`).expect(400);
    expect(body).toMatchObject({ code: 'invalid_request', errors: [{ path: expect.any(String) }] });
  });
});

describe('a budget of a tenant', () => {
  test('counts what was spent before it was set, and after', async () => {
    const tenant = await tenantWithAgent();
    await spend(tenant, 700);
    const set = await tenant.http.put('/v1/budgets/day').send({ limit_micros: 10_000 }).expect(200);
    expect(set.body).toMatchObject({
      period: 'day',
      set_by: 'tenant',
      limit_micros: 10_000,
      spent_micros: 700,
    });
    await spend(tenant, 300);
    expect(await budgetsOf(tenant)).toMatchObject([{ spent_micros: 1_000, starts_on: DAY }]);
    await countSpending(api.database.pool, 100);
    expect(await budgetsOf(tenant)).toMatchObject([{ spent_micros: 1_000 }]);
  });

  test('a call is admitted where it fits, waits for running calls, and is refused where it cannot fit', async () => {
    const tenant = await tenantWithAgent();
    await tenant.http.put('/v1/budgets/month').send({ limit_micros: 1_000 }).expect(200);
    const [one, two] = [await claim((await submit(tenant)).id), await claim((await submit(tenant)).id)];
    const reserve = (turn: typeof one, micros: number) =>
      reserveCost(api.database.pool, { turnId: turn.id, epoch: turn.epoch }, { micros, tokens: 1 });
    expect(await reserve(one, 600)).toBe('granted');
    expect(await reserve(two, 600)).toBe('wait');
    expect(await reserve(two, 400)).toBe('granted');
    expect(await reserve(two, 1_001)).toBe('month');
    expect(await reserveCost(api.database.pool, { turnId: one.id, epoch: 7 }, { micros: 1, tokens: 1 })).toBe(
      'lost',
    );
    // What was reserved and not spent is available again.
    await end(one, 100);
    expect(await reserve(two, 900)).toBe('granted');
    expect(await reserve(two, 901)).toBe('month');
  });

  test("of the operator's and the tenant's budget the lower holds, and the tenant can delete only its own", async () => {
    const tenant = await tenantWithAgent();
    const operators = {
      tenantId: tenant.tenantId,
      period: 'day',
      setBy: 'operator',
      limitMicros: 500,
    } as const;
    await setBudget(api.database.pool, operators);
    await tenant.http.put('/v1/budgets/day').send({ limit_micros: 10_000 }).expect(200);
    const turn = await claim((await submit(tenant)).id);
    const lease = { turnId: turn.id, epoch: turn.epoch };
    expect(await reserveCost(api.database.pool, lease, { micros: 501, tokens: 1 })).toBe('day');
    await tenant.http.delete('/v1/budgets/day').expect(204);
    await tenant.http.delete('/v1/budgets/day').expect(404);
    expect(await reserveCost(api.database.pool, lease, { micros: 501, tokens: 1 })).toBe('day');
    expect(await budgetsOf(tenant)).toMatchObject([{ set_by: 'operator' }]);
  });

  test('80 % and 100 % are announced once each, and again after a raise', async () => {
    const tenant = await tenantWithAgent();
    await tenant.http.put('/v1/budgets/day').send({ limit_micros: 1_000 }).expect(200);
    const spent = async (micros: number): Promise<string[]> => {
      await spend(tenant, micros);
      await countSpending(api.database.pool, 100);
      return eventsOf(tenant);
    };
    expect(await spent(799)).toEqual([]);
    expect(await spent(1)).toEqual(['budget.threshold_reached day']);
    expect(await spent(50)).toEqual(['budget.threshold_reached day']);
    const both = ['budget.threshold_reached day', 'budget.exhausted day'];
    expect(await spent(200)).toEqual(both);
    await tenant.http.put('/v1/budgets/day').send({ limit_micros: 1_200 }).expect(200);
    expect(await eventsOf(tenant)).toEqual([...both, 'budget.threshold_reached day']);
  });

  test('once it is spent a submit gets 402, and is accepted again after a raise', async () => {
    const tenant = await tenantWithAgent();
    await tenant.http.put('/v1/budgets/day').send({ limit_micros: 100 }).expect(200);
    const first = { agent_id: tenant.agentId, input: 'Hi' };
    const send = () => tenant.http.post('/v1/turns').set('Idempotency-Key', 'one').send(first);
    const accepted = await send();
    await spend(tenant, 100);
    await countSpending(api.database.pool, 100);
    const submits = () => tenant.http.post('/v1/turns').send(first);
    await untilTrue('submits are refused', async () => (await submits()).status === 402);
    expect((await submits()).body).toMatchObject({ code: 'budget_exceeded', status: 402 });
    // An accepted submit is still replayed.
    expect((await send()).body).toEqual(accepted.body);
    await tenant.http.put('/v1/budgets/day').send({ limit_micros: 10_000 }).expect(200);
    await untilTrue('submits are accepted', async () => (await submits()).status === 202);
  });

  test.each([
    { limit_micros: -1 },
    { limit_micros: 1.5 },
    { limit_micros: '5' },
    {},
    { limit_micros: 1, x: 1 },
  ])('one of %j is refused as invalid', async (body) => {
    await api.client.http.put('/v1/budgets/day').send(body).expect(400);
  });
});

describe('the tokens of a minute', () => {
  test('are shared by running and finished calls', async () => {
    const tenant = await tenantWithAgent();
    await changeLimits(api.database.pool, tenant.tenantId, { tokens_per_minute: 1_000 });
    const turns = [await claim((await submit(tenant)).id), await claim((await submit(tenant)).id)] as const;
    expect(turns[0].isBudgeted).toBe(true);
    const reserve = (turn: (typeof turns)[0], tokens: number) =>
      reserveCost(api.database.pool, { turnId: turn.id, epoch: turn.epoch }, { micros: 1, tokens });
    // More than the limit of a minute: it is admitted while no other call runs.
    expect(await reserve(turns[0], 5_000)).toBe('granted');
    expect(await reserve(turns[1], 1)).toBe('tokens');
    // It used twelve tokens.
    await end(turns[0], 1);
    expect(await reserve(turns[1], 989)).toBe('tokens');
    expect(await reserve(turns[1], 988)).toBe('granted');
  });
});

describe('a budget of a turn and of a session', () => {
  test('bounds what its calls may cost', async () => {
    const tenant = await tenantWithAgent();
    const turn = await submit(tenant, { budget_micros: 100, session_budget_micros: 150 });
    expect(turn).toMatchObject({ budget_micros: 100, cost_micros: 0 });
    const claimed = await claim(turn.id);
    expect(claimed.isBudgeted).toBe(true);
    const lease = { turnId: turn.id, epoch: claimed.epoch };
    expect(await reserveCost(api.database.pool, lease, { micros: 101, tokens: 1 })).toBe('turn');
    expect(await reserveCost(api.database.pool, lease, { micros: 100, tokens: 1 })).toBe('granted');
    await end(claimed, 100);

    const path = `/v1/sessions/${turn.session_id}`;
    const next = await tenant.http.post(`${path}/turns`).send({ input: 'More' }).expect(202);
    const second = await claim(next.body.id);
    expect(second.isBudgeted).toBe(true);
    const its = { turnId: second.id, epoch: second.epoch };
    expect(await reserveCost(api.database.pool, its, { micros: 51, tokens: 1 })).toBe('session');
    const raised = await tenant.http.post(path).send({ budget_micros: 500 }).expect(200);
    expect(raised.body).toMatchObject({ budget_micros: 500 });
    expect(await reserveCost(api.database.pool, its, { micros: 51, tokens: 1 })).toBe('granted');
    await tenant.http.post(path).send({ budget_micros: null }).expect(200);
    expect(await reserveCost(api.database.pool, its, { micros: 51_000, tokens: 1 })).toBe('granted');
  });
});

describe('a turn that stopped', () => {
  test('is resumed by a turn without an input', async () => {
    const tenant = await tenantWithAgent();
    const stopped = await submit(tenant);
    await end(await claim(stopped.id), null);
    const { body: resumed } = await tenant.http.post(`/v1/turns/${stopped.id}/resume`).send({}).expect(202);
    expect(resumed).toMatchObject({ session_id: stopped.session_id, resumes: stopped.id, status: 'queued' });
    const claimed = await claim(resumed.id);
    expect(claimed.messages).toEqual([]);
    expect(claimed.history).toMatchObject([{ role: 'user', content: [{ text: 'Hi' }] }]);
    await end(claimed, 10);
    const messages = await tenant.http.get(`/v1/sessions/${stopped.session_id}/messages`);
    expect(messages.body.items.map((item: { role: string }) => item.role)).toEqual(['user', 'assistant']);
  });

  test('is not resumed where it has its model response, runs, is not the newest, or does not exist', async () => {
    const tenant = await tenantWithAgent();
    const resume = (id: string) => tenant.http.post(`/v1/turns/${id}/resume`).send({});
    const answered = await spend(tenant, 1);
    expect((await resume(answered.id).expect(409)).body.code).toBe('not_resumable');
    const stopped = await submit(tenant);
    expect((await resume(stopped.id).expect(409)).body.detail).toContain('has not ended');
    await end(await claim(stopped.id), null);
    await tenant.http.post(`/v1/sessions/${stopped.session_id}/turns`).send({ input: 'And?' }).expect(202);
    expect((await resume(stopped.id).expect(409)).body.detail).toContain('newest');
    await resume(newId('turn')).expect(404);
    const other = await tenantWithAgent();
    await other.http.post(`/v1/turns/${stopped.id}/resume`).send({}).expect(404);
  });
});
