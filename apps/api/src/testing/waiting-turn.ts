import { newId, NO_USAGE, type Awaiting } from '@turnpike/contract';
import { advanceTurn, claimTurn } from '@turnpike/store';
import { TRANSITIONS } from '@turnpike/turns';
import type { TestApi, Client } from './test-api.ts';

/** A turn in `requires_action` whose calls wait for these, in this order. */
export async function turnThatWaitsFor(
  { database, dispatcher }: Pick<TestApi, 'database' | 'dispatcher'>,
  { http }: Client,
  agentId: string,
  waits: readonly Awaiting[],
): Promise<{ id: string; calls: string[] }> {
  const submission = { agent_id: agentId, input: 'Pay.' };
  const { id } = (await http.post('/v1/turns').send(submission).expect(202)).body;
  await dispatcher.settle();
  const claim = { turnId: id, epoch: 0, from: TRANSITIONS.claim.from, workerId: 'w', leaseMs: 60_000 };
  const turn = await claimTurn(database.pool, claim);
  if (turn === null) throw new Error(`${id} cannot be claimed.`);
  const requestedCalls = waits.map((awaiting, index) => ({
    id: newId('toolCall'),
    toolUseId: `toolu_${index}`,
    name: `pay_${awaiting}`,
    input: {},
    inputText: '{}',
    effect: 'once' as const,
    onUnknown: 'ask' as const,
    status: awaiting === 'outcome' ? ('unknown' as const) : ('pending' as const),
    awaiting,
    question: null,
    output: null,
    isError: false,
    attempts: 0,
    steps: [],
  }));
  const content = requestedCalls.map(({ toolUseId, name }) => ({
    type: 'tool_use',
    id: toolUseId,
    name,
    input: {},
  }));
  const step = {
    id: newId('step'),
    type: 'model_call' as const,
    model: 'm',
    stopReason: 'tool_use',
    usage: NO_USAGE,
    costMicros: 0,
    attempts: 1,
    providerRequestId: null,
    durationMs: 1,
  };
  const { epoch, eventCount } = turn;
  const advanced = await advanceTurn(
    database.pool,
    { turnId: id, epoch, from: TRANSITIONS.advance.from, eventCount },
    {
      step,
      messages: [{ role: 'assistant', content }],
      requestedCalls,
      action: { timeoutMs: 60_000 },
      events: [{ id: newId('event'), type: 'turn.requires_action', payload: {} }],
    },
  );
  if (advanced?.status !== 'requires_action') throw new Error(`${id} does not wait.`);
  return { id, calls: requestedCalls.map((call) => call.id) };
}
