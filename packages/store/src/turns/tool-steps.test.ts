import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { agentConfigSchema, newId, type Advance, type ToolStep } from '@turnpike/contract';
import { modelStep } from '../../../../tests/support/model-step.ts';
import { newTurn } from '../../../../tests/support/new-turn.ts';
import { openTestDatabase, type TestDatabase } from '../../../../tests/support/test-database.ts';
import { insertAgent } from '../agents/agents.ts';
import { createTenant } from '../tenants/tenants.ts';
import { advanceTurn } from './advance-turn.ts';
import { answerAction } from './answer-action.ts';
import { claimTurn } from './claim-turn.ts';
import { dispatchTurns } from './dispatch-turns.ts';
import { insertTurn } from './insert-turn.ts';

const RUNS = { pool: 'default', codeTools: ['pay'], queue: 'with-pay' };

let database: TestDatabase;
let tenantId: string;
let agentId: string;
beforeAll(async () => {
  database = await openTestDatabase(5);
  tenantId = await createTenant(database, 'Acme');
  agentId = newId('agent');
  const config = agentConfigSchema.parse({ model: 'm', tools: [{ type: 'code', name: 'pay' }] });
  await insertAgent(database.pool, { id: agentId, tenantId, name: 'a', metadata: {}, config });
  // A turn goes only to workers that have its tool.
  await database.pool.query(
    `INSERT INTO workers (id, concurrency, seen_at, queue, code_tools) VALUES ('w', 100, now() + interval '1 hour', $1, '{pay}')`,
    [RUNS.queue],
  );
});
afterAll(() => database.close());

/** A turn whose model has asked for one call, which is started. */
async function startedCall() {
  const accepted = await insertTurn(database.pool, { ...newTurn(tenantId), agentId, sessionMetadata: {} });
  const turnId = accepted.turn?.id ?? '';
  const claimAt = async (epoch: number) => {
    await dispatchTurns(database.pool, [], [tenantId]);
    const claim = { turnId, epoch, from: ['queued'] as const, workerId: 'w', leaseMs: 60_000, runs: RUNS };
    const claimed = await claimTurn(database.pool, claim);
    if (claimed === null) throw new Error('The turn cannot be claimed.');
    return claimed;
  };
  const { epoch, eventCount: first } = await claimAt(0);
  let eventCount = first;
  const from = ['in_progress'] as const;
  const advance = async (change: Omit<Advance, 'events'>, atEpoch = epoch) => {
    const events = [{ id: newId('event'), type: 'step.started' as const, payload: {} }];
    const fence = { turnId, epoch: atEpoch, from, eventCount };
    const result = await advanceTurn(database.pool, fence, { ...change, events });
    if (result !== null) eventCount += 1;
    return result;
  };
  const call = {
    id: newId('toolCall'),
    toolUseId: 'toolu_1',
    name: 'pay',
    input: {},
    inputText: '{}',
    effect: 'idempotent' as const,
    onUnknown: 'ask' as const,
    status: 'started' as const,
    awaiting: null,
    question: null,
    output: null,
    isError: false,
    attempts: 1,
    steps: [],
  };
  await advance({ step: { ...modelStep(), stopReason: 'tool_use' }, requestedCalls: [call] });
  const write = (step: Partial<ToolStep>, atEpoch = epoch) =>
    advance(
      {
        toolSteps: [
          {
            toolCallId: call.id,
            kind: 'step',
            name: 'charge',
            effect: 'once',
            status: 'started',
            result: null,
            ...step,
          },
        ],
      },
      atEpoch,
    );
  const stored = async () => {
    const { rows } = await database.pool.query(
      'SELECT kind, name, status, result FROM tool_steps WHERE tool_call_id = $1 ORDER BY kind, name',
      [call.id],
    );
    return rows;
  };
  return { turnId, callId: call.id, epoch, advance, write, stored, claimAt };
}

test('a step is written under the lease alone, and its outcome never changes', async () => {
  const { epoch, write, stored } = await startedCall();
  expect(await write({}, epoch - 1)).toBeNull();
  expect(await stored()).toEqual([]);
  expect(await write({})).not.toBeNull();
  expect(await write({ status: 'completed', result: '{"id":1}' })).not.toBeNull();
  for (const status of ['started', 'undone', 'failed', 'completed'] as const) {
    await write({ status, result: '"other"' });
    expect(await stored()).toEqual([
      { kind: 'step', name: 'charge', status: 'completed', result: '{"id":1}' },
    ]);
  }
});

test('a step that did nothing may be begun again, and text is given back as it was', async () => {
  const { write, stored } = await startedCall();
  await write({});
  await write({ status: 'undone' });
  await write({});
  const result = JSON.stringify('NUL \0, half of a pair \ud800, 1e400');
  await write({ status: 'completed', result });
  expect(await stored()).toEqual([{ kind: 'step', name: 'charge', status: 'completed', result }]);
});

test('an answer is a step of its call: the next claim has it, the call is pending, and its question is gone', async () => {
  const { turnId, callId, epoch, advance, write, claimAt } = await startedCall();
  await write({ status: 'completed', result: '1' });
  const question = { name: 'answer', text: 'Ship?', answer_schema: { type: 'boolean' } };
  await advance({ returnedCalls: [{ id: callId, question }], action: { timeoutMs: 60_000 } });
  const answer = { name: 'answer', json: 'true' };
  expect(await answerAction(database.pool, turnId, [{ toolCallId: callId, status: 'pending', answer }])).toBe(
    true,
  );
  const { openToolCalls } = await claimAt(epoch);
  expect(openToolCalls).toMatchObject([
    { id: callId, status: 'pending', awaiting: null, question: null, attempts: 1, output: null },
  ]);
  const steps = openToolCalls[0]?.steps.map(({ kind, name, result }) => [kind, name, result]);
  expect(steps?.toSorted()).toEqual([
    ['answer', 'answer', 'true'],
    ['step', 'charge', '1'],
  ]);
});

test('a call that a person sends again may do the step again that has no outcome, and no other', async () => {
  const { turnId, callId, advance, write, stored } = await startedCall();
  await write({ status: 'completed', result: '1' });
  await write({ name: 'ship' });
  await advance({ awaitingOutcome: [callId], action: { timeoutMs: 60_000 } });
  await answerAction(database.pool, turnId, [{ toolCallId: callId, status: 'pending' }]);
  expect(await stored()).toMatchObject([
    { name: 'charge', status: 'completed' },
    { name: 'ship', status: 'undone' },
  ]);
});
