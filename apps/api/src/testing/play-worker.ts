import { newId, NO_USAGE, type Advance, type NewEvent, type ToolCall } from '@turnpike/contract';
import { advanceTurn, claimTurn } from '@turnpike/store';
import { TRANSITIONS } from '@turnpike/turns';
import type { Services } from '../route.ts';

/**
 * Does to a dispatched turn what a worker does, without signals: claims it, commits this many rounds of a tool, and
 * completes it.
 */
export async function playWorker(
  { database, dispatcher }: Pick<Services, 'database' | 'dispatcher'>,
  turnId: string,
  rounds = 0,
): Promise<void> {
  await dispatcher.settle();
  const claim = { turnId, epoch: 0, from: TRANSITIONS.claim.from, workerId: 'test', leaseMs: 60_000 };
  const turn = await claimTurn(database.pool, claim);
  if (turn === null) throw new Error(`${turnId} cannot be claimed.`);
  let { eventCount, stepCount } = turn;
  const advance = async (part: Omit<Advance, 'events'>): Promise<void> => {
    const fence = { turnId, epoch: turn.epoch, from: TRANSITIONS.advance.from, eventCount };
    const events: NewEvent[] = [
      { id: newId('event'), type: 'step.completed', payload: { index: stepCount } },
    ];
    if (part.outcome !== undefined) events.push({ id: newId('event'), type: 'turn.completed', payload: {} });
    const status = await advanceTurn(database.pool, fence, { ...part, events });
    if (status === null) throw new Error(`${turnId} is not held.`);
    eventCount += events.length;
    stepCount += 1;
  };
  for (let round = 0; round < rounds; round++) await playRound(advance, round);
  const output = [{ type: 'text', text: 'Hello.' }];
  await advance({
    step: modelCall('end_turn'),
    messages: [{ role: 'assistant', content: output }],
    outcome: { status: 'completed', stopReason: 'end_turn', output, error: null },
  });
}

async function playRound(
  advance: (part: Omit<Advance, 'events'>) => Promise<void>,
  round: number,
): Promise<void> {
  const use = { type: 'tool_use', id: `toolu_${round}`, name: 'current_time', input: { zone: 'UTC' } };
  const call: ToolCall = {
    id: newId('toolCall'),
    toolUseId: use.id,
    name: use.name,
    input: use.input,
    inputText: JSON.stringify(use.input),
    effect: 'read',
    onUnknown: 'tell_model',
    awaiting: null,
    status: 'started',
    question: null,
    output: null,
    isError: false,
    attempts: 0,
    steps: [],
  };
  await advance({
    step: modelCall('tool_use'),
    messages: [{ role: 'assistant', content: [use] }],
    requestedCalls: [call],
  });
  const output = [{ type: 'text', text: 'Noon.' }];
  const result = { type: 'tool_result', tool_use_id: use.id, content: output };
  await advance({
    step: { ...modelCall(null), type: 'tool_calls', model: null, providerRequestId: null },
    messages: [{ role: 'user', content: [result] }],
    receipts: [{ id: call.id, status: 'completed', output, isError: false }],
  });
}

function modelCall(stopReason: string | null): NonNullable<Advance['step']> {
  return {
    id: newId('step'),
    type: 'model_call',
    model: 'test-model',
    stopReason,
    costMicros: 0,
    usage: { ...NO_USAGE, input_tokens: 10, output_tokens: 2 },
    attempts: 1,
    providerRequestId: 'req_test',
    durationMs: 5,
  };
}
