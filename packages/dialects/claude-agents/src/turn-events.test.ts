import { expect, test } from '@jest/globals';
import { turnFactSchema, type TurnFact } from '@turnpike/contract';
import { EventStreamEncoder } from './event-stream.ts';
import { TurnContexts } from './turn-context.ts';
import { TurnEvents, type SessionEvent } from './turn-events.ts';

const TURN = 'turn_01kapjt9e8f7ga5vxq3c2m4n6r';
const USAGE = {
  input_tokens: 1,
  output_tokens: 2,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
};
const idOf = (prefix: string, number: number): string => `${prefix}_01kapjt9e8f7ga5vxq3c2m4n${number + 10}`;

/** Facts of a turn, numbered in this order. */
function facts(...given: ({ type: TurnFact['type'] } & Record<string, unknown>)[]): TurnFact[] {
  return given.map((fact, index) =>
    turnFactSchema.parse({
      id: idOf('evt', index),
      turn_id: TURN,
      sequence_number: index + 1,
      created_at: `2026-11-25T00:00:00.${String(index).padStart(3, '0')}Z`,
      ...fact,
    }),
  );
}

const stepOf = (index: number, content: object[], type = 'model_call') => ({
  type: 'step.completed' as const,
  step: {
    id: idOf('step', index),
    object: 'step',
    turn_id: TURN,
    index,
    type,
    model: 'claude-sonnet-4-5',
    stop_reason: 'end_turn',
    content,
    usage: USAGE,
    cost_micros: 1,
    attempts: 1,
    provider_request_id: null,
    started_at: '2026-11-25T00:00:00.000Z',
    completed_at: '2026-11-25T00:00:00.000Z',
  },
});
const call = (number: number, name: string) => ({
  id: idOf('call', number),
  tool_use_id: `toolu_${number}`,
  name,
});
const done = (number: number, name: string, isError = false) => ({
  type: 'tool.completed' as const,
  tool_call: {
    ...call(number, name),
    status: 'completed',
    is_error: isError,
    output: [{ type: 'text', text: 'Done.' }],
  },
});
const asks = (...calls: [number, string, string][]) => ({
  type: 'turn.requires_action' as const,
  required_action: {
    type: 'submit_tool_outputs',
    expires_at: '2026-11-26T00:00:00.000Z',
    tool_calls: calls.map(([number, name, awaiting]) => ({
      ...call(number, name),
      input: { of: name },
      input_text: null,
      awaiting,
      question: null,
    })),
  },
});
const started = (attempt: number) => ({ type: 'turn.started' as const, attempt });
const begun = (index: number) => ({ type: 'step.started' as const, step_index: index });

const context = { mcpServers: ['crm'], customTools: new Set(['mine']), given: new Map() };

function shown(all: readonly TurnFact[]): SessionEvent[] {
  const events = new TurnEvents(context);
  return all.flatMap((fact) => events.take(fact));
}

const uses = (number: number, name: string, input = {}) => ({
  type: 'tool_use',
  id: `toolu_${number}`,
  name,
  input,
});

test('each call is shown once with its input, before its result; the client sees its own, and is asked about others', () => {
  const all = facts(
    { type: 'turn.queued' },
    started(1),
    begun(0),
    stepOf(0, [
      { type: 'thinking', thinking: 'Hm.', signature: 's' },
      { type: 'text', text: 'I look.' },
      uses(1, 'now', { a: 1 }),
      uses(2, 'crm__find'),
      uses(3, 'mine'),
      uses(4, 'danger'),
    ]),
    begun(1),
    { type: 'tool.started', tool_call: call(1, 'now') },
    { type: 'tool.started', tool_call: call(2, 'crm__find') },
    done(1, 'now'),
    done(2, 'crm__find'),
    asks([3, 'mine', 'output'], [4, 'danger', 'approval']),
    done(3, 'mine'),
    started(2),
    { type: 'tool.started', tool_call: call(4, 'danger') },
    done(4, 'danger'),
    stepOf(1, [], 'tool_calls'),
    begun(2),
    { type: 'step.restarted', step_index: 2 },
    stepOf(2, [{ type: 'text', text: 'Found.' }]),
  );
  const events = shown(all);
  expect(events.map(({ type }) => type)).toEqual([
    'session.status_running',
    'span.model_request_start',
    'agent.thinking',
    'agent.message',
    'span.model_request_end',
    'agent.tool_use',
    'agent.mcp_tool_use',
    'agent.tool_result',
    'agent.mcp_tool_result',
    'agent.custom_tool_use',
    'agent.tool_use',
    'session.status_idle',
    'user.custom_tool_result',
    'session.status_idle',
    'user.tool_confirmation',
    'session.status_running',
    'agent.tool_result',
    'span.model_request_start',
    'span.model_request_end',
    'span.model_request_start',
    'agent.message',
    'span.model_request_end',
  ]);
  expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
  const use = events.find(({ type }) => type === 'agent.tool_use');
  expect(use).toMatchObject({ name: 'now', input: { a: 1 }, evaluated_permission: 'allow' });
  expect(events.find(({ type }) => type === 'agent.mcp_tool_use')).toMatchObject({
    name: 'find',
    mcp_server_name: 'crm',
  });
  const [first, second] = events.filter(({ type }) => type === 'session.status_idle');
  const [mine, danger] = [3, 4].map((number) => idOf('sevt', number));
  expect(first?.['stop_reason']).toEqual({ type: 'requires_action', event_ids: [mine, danger] });
  expect(second?.['stop_reason']).toEqual({ type: 'requires_action', event_ids: [danger] });
  // A second reading makes the same.
  expect(shown(all)).toEqual(events);
});

test('a denial is shown before the result; a call that was never made is denied by the service; silence says nothing', () => {
  const events = shown(
    facts(
      { type: 'turn.queued' },
      started(1),
      stepOf(0, [uses(1, 'danger'), uses(2, 'broken'), uses(3, 'mine'), uses(4, 'other')]),
      done(2, 'broken', true),
      asks([1, 'danger', 'approval'], [3, 'mine', 'output'], [4, 'other', 'approval']),
      done(1, 'danger', true),
      { type: 'turn.queued' },
      started(2),
    ),
  );
  expect(events.slice(3).map(({ type, result, evaluated_permission: may }) => [type, result ?? may])).toEqual(
    [
      ['agent.tool_use', 'deny'],
      ['agent.tool_result', undefined],
      ['agent.tool_use', 'ask'],
      ['agent.custom_tool_use', undefined],
      ['agent.tool_use', 'ask'],
      ['session.status_idle', undefined],
      ['user.tool_confirmation', 'deny'],
      ['agent.tool_result', undefined],
      ['session.status_idle', undefined],
      ['agent.tool_result', undefined],
      ['session.status_running', undefined],
    ],
  );
});

/** What a stream sends, as its client reads it. */
function sent(encoder: EventStreamEncoder, all: readonly TurnFact[]): { id: string; type: string }[] {
  const frames = all.map((fact) => encoder.fact(fact)).join('');
  return [...frames.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => JSON.parse(data));
}

test('a stream goes on after exactly the event that its client has, whichever it is', () => {
  const all = facts(
    { type: 'turn.queued' },
    started(1),
    begun(0),
    stepOf(0, [
      { type: 'thinking', thinking: 'Hm.', signature: 's' },
      { type: 'text', text: 'A.' },
      uses(1, 'now'),
    ]),
    begun(1),
    { type: 'tool.started', tool_call: call(1, 'now') },
    done(1, 'now'),
  );
  const contexts = new TurnContexts({} as never);
  const whole = sent(new EventStreamEncoder(contexts, null, false), all);
  expect(whole.length).toBeGreaterThan(6);
  const events = new TurnEvents(context);
  const places = all.flatMap((fact) =>
    events.take(fact).map((_, index) => ({ turnId: TURN, sequenceNumber: fact.sequence_number, index })),
  );
  for (const [index, place] of places.entries())
    expect(sent(new EventStreamEncoder(contexts, place, false), all)).toEqual(whole.slice(index + 1));
});

test('text is shown while it is written, with the id of the message that it becomes', () => {
  const all = facts(
    { type: 'turn.queued' },
    started(1),
    begun(0),
    stepOf(0, [{ type: 'text', text: 'Hello.' }]),
  );
  const encoder = new EventStreamEncoder(new TurnContexts({} as never), null, true);
  for (const fact of all.slice(0, 3)) encoder.fact(fact);
  const preview = (text: string): string => encoder.preview({ stepIndex: 0, attempt: 3, text });
  const data = [preview('Hel'), preview('Hel'), preview('Hello.')].join('').matchAll(/^data: (.*)$/gm);
  const [start, ...deltas] = [...data].map(([, json = '']) => JSON.parse(json));
  expect(start).toMatchObject({ type: 'event_start', event: { type: 'agent.message' } });
  expect(deltas.map(({ delta }) => delta.content.text)).toEqual(['Hel', 'lo.']);
  const message = sent(encoder, all.slice(3)).find(({ type }) => type === 'agent.message');
  expect([start.event.id, ...deltas.map((each) => each.event_id)]).toEqual([
    message?.id,
    message?.id,
    message?.id,
  ]);
});
