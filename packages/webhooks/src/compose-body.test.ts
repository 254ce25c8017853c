import { expect, test } from '@jest/globals';
import { newId, NO_USAGE, type Turn } from '@turnpike/contract';
import { composeTurnBody } from './compose-body.ts';

const TURN: Turn = {
  id: newId('turn'),
  object: 'turn',
  status: 'completed',
  session_id: newId('session'),
  agent_id: newId('agent'),
  agent_version: 1,
  overrides: null,
  sequence: 1,
  stop_reason: 'end_turn',
  output: [{ type: 'text', text: 'Hello.' }],
  output_parsed: null,
  output_text: 'Hello.',
  partial: false,
  error: null,
  required_action: null,
  awaited_child_turns: null,
  parent_turn_id: null,
  parent_tool_call_id: null,
  batch_id: null,
  usage: NO_USAGE,
  cost_micros: 0,
  total_cost_micros: 0,
  budget_micros: null,
  resumes: null,
  copied_from: null,
  priority: 0,
  run_at: null,
  waiting_for: null,
  step_count: 1,
  trace_id: null,
  attempts: 1,
  metadata: { order: '17' },
  created_at: '2026-11-25T12:00:00.000Z',
  started_at: '2026-11-25T12:00:01.000Z',
  finished_at: '2026-11-25T12:00:02.000Z',
  deadline_at: '2026-11-26T12:00:00.000Z',
};

const HEAD = { id: newId('event'), type: 'turn.completed' };

function compose(
  more: Partial<Turn>,
  isTruncated = false,
): { bytes: number; data: { turn: Turn; truncated: boolean } } {
  const body = composeTurnBody(HEAD, { ...TURN, ...more }, isTruncated);
  return {
    bytes: Buffer.byteLength(body),
    data: (JSON.parse(body) as { data: { turn: Turn; truncated: boolean } }).data,
  };
}

const textOf = (characters: number): Partial<Turn> => {
  const text = 'x'.repeat(characters);
  return { output: [{ type: 'text', text }], output_text: text };
};

test('the body of a short turn has all of it', () => {
  expect(compose({}).data).toEqual({ turn: TURN, truncated: false });
});

test('a turn that was truncated before is marked as truncated', () => {
  expect(compose({}, true).data.truncated).toBe(true);
});

test('an output that is too long for both of its forms is sent as text alone', () => {
  const { bytes, data } = compose(textOf(12_000));
  expect(bytes).toBeLessThan(20_000);
  expect(data).toEqual({ turn: { ...TURN, ...textOf(12_000), output: null }, truncated: true });
});

test('an output that is too long is left out, and the rest of the turn is not', () => {
  const { bytes, data } = compose(textOf(25_000));
  expect(bytes).toBeLessThan(2_000);
  expect(data).toEqual({ turn: { ...TURN, output: null, output_text: null }, truncated: true });
});

const call = (input: unknown) => ({
  id: newId('toolCall'),
  tool_use_id: 'toolu_1',
  name: 'pick',
  input,
  input_text: JSON.stringify(input),
  awaiting: 'output' as const,
  question: null,
});
const waitingFor = (calls: ReturnType<typeof call>[]): Partial<Turn> => ({
  required_action: { type: 'submit_tool_outputs', expires_at: TURN.deadline_at, tool_calls: calls },
});

test('long inputs of open calls are left out, and the calls are not', () => {
  const one = call('x'.repeat(30_000));
  const { data } = compose(waitingFor([one]));
  expect(data.turn.required_action?.tool_calls).toEqual([{ ...one, input: null, input_text: null }]);
  expect(data.turn.metadata).toEqual(TURN.metadata);
});

test('the body is under 20 kB, whichever field is long and whatever its characters', () => {
  const long = '\u{1F600}'.repeat(256);
  const all = {
    ...textOf(50_000),
    ...waitingFor(Array.from({ length: 500 }, () => call('x'))),
    metadata: Object.fromEntries(
      Array.from({ length: 16 }, (_, index) => [`${index}${'é'.repeat(60)}`, long]),
    ),
    error: {
      code: 'c',
      message: '\u{1F600}'.repeat(20_000),
      retry_status: 'terminal' as const,
      request_id: null,
    },
  };
  expect(compose(all).bytes).toBeLessThan(20_000);
});
