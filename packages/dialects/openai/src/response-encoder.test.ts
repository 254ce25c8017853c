import { expect, test } from '@jest/globals';
import { NO_USAGE, turnFactSchema, turnSchema, type TurnFact } from '@turnpike/contract';
import { ResponseEncoder } from './response-encoder.ts';
import type { ResponseSource } from './response.ts';
import { endOfPiece } from './text-pieces.ts';

const TURN_ID = 'turn_01kapjt9e8f7ga5vxq3c2m4n6r';
const TIME = '2026-01-01T00:00:00.000Z';
const TEXT = 'It was a bright cold day in April, and the clocks were striking thirteen 😀 times in a row.';

const turn = turnSchema.parse({
  id: TURN_ID,
  object: 'turn',
  copied_from: null,
  trace_id: null,
  status: 'queued',
  session_id: 'sess_01kapjt9e8f7ga5vxq3c2m4n6r',
  agent_id: 'agent_01kapjt9e8f7ga5vxq3c2m4n6r',
  agent_version: 1,
  overrides: null,
  sequence: 1,
  stop_reason: null,
  output: null,
  output_text: null,
  output_parsed: null,
  partial: false,
  error: null,
  required_action: null,
  awaited_child_turns: null,
  usage: NO_USAGE,
  cost_micros: 0,
  total_cost_micros: 0,
  budget_micros: null,
  batch_id: null,
  parent_turn_id: null,
  parent_tool_call_id: null,
  resumes: null,
  step_count: 0,
  attempts: 0,
  metadata: {},
  priority: 0,
  run_at: null,
  waiting_for: null,
  created_at: TIME,
  started_at: null,
  finished_at: null,
  deadline_at: TIME,
});
const source: ResponseSource = { turn, agent: null, config: null, clientTools: new Set(), thinks: false };

const fact = (number: number, fields: object): TurnFact =>
  turnFactSchema.parse({
    id: 'evt_01kapjt9e8f7ga5vxq3c2m4n6r',
    turn_id: TURN_ID,
    created_at: TIME,
    sequence_number: number,
    ...fields,
  });
const step = {
  id: 'step_01kapjt9e8f7ga5vxq3c2m4n6r',
  object: 'step',
  turn_id: TURN_ID,
  index: 0,
  type: 'model_call',
  model: 'm',
  stop_reason: 'end_turn',
  content: [{ type: 'text', text: TEXT }],
  usage: NO_USAGE,
  cost_micros: 0,
  attempts: 1,
  provider_request_id: null,
  started_at: TIME,
  completed_at: TIME,
};
const STARTED = [
  fact(1, { type: 'turn.queued' }),
  fact(2, { type: 'turn.started', attempt: 1 }),
  fact(3, { type: 'step.started', step_index: 0 }),
];
const RESTARTED = [
  fact(4, { type: 'turn.started', attempt: 2 }),
  fact(5, { type: 'step.restarted', step_index: 0 }),
];
const ended = { ...turn, status: 'completed' as const, stop_reason: 'end_turn' as const, finished_at: TIME };
const ENDED = [fact(6, { type: 'step.completed', step }), fact(7, { type: 'turn.completed', turn: ended })];

interface Event {
  type: string;
  sequence_number: number;
  delta?: string;
  code?: string;
}
const eventsIn = (frames: string): Event[] =>
  [...frames.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => JSON.parse(data) as Event);
const textIn = (events: readonly Event[]): string => events.map(({ delta = '' }) => delta).join('');

/** A stream as it is seen live: the text arrives so many characters at a time. */
function live(chunk: number): Event[] {
  const encoder = new ResponseEncoder(source, 0, null);
  let frames = encoder.begin() + STARTED.map((each) => encoder.fact(each)).join('');
  for (let end = chunk; end < TEXT.length; end += chunk)
    frames += encoder.preview({ stepIndex: 0, attempt: 3, text: TEXT.slice(0, end) });
  return eventsIn(frames + ENDED.map((each) => encoder.fact(each)).join(''));
}

function replay(after: number | null, facts: readonly TurnFact[]): Event[] {
  const encoder = new ResponseEncoder(source, 0, after);
  return eventsIn(encoder.begin() + facts.map((each) => encoder.fact(each)).join(''));
}

test('a stream is the same events with the same numbers, however its text arrived, and whenever it is read', () => {
  const whole = replay(null, [...STARTED, ...ENDED]);
  expect(textIn(whole)).toBe(TEXT);
  for (const chunk of [1, 3, 17, 1_000]) expect(live(chunk)).toEqual(whole);
  for (const { sequence_number: after } of whole)
    expect(replay(after, [...STARTED, ...ENDED])).toEqual(
      whole.filter(({ sequence_number: number }) => number > after),
    );
});

test('the text of a step that was committed is not shown again', () => {
  const encoder = new ResponseEncoder(source, 0, null);
  [...STARTED, ...ENDED.slice(0, 1)].forEach((each) => encoder.fact(each));
  expect(encoder.preview({ stepIndex: 0, attempt: 3, text: TEXT })).toBe('');
});

test('text of a model call that is made again is shown once where it is the same, and ends the stream where it is not', () => {
  const show = (second: string): Event[] => {
    const encoder = new ResponseEncoder(source, 0, null);
    let frames = encoder.begin() + STARTED.map((each) => encoder.fact(each)).join('');
    frames += encoder.preview({ stepIndex: 0, attempt: 3, text: TEXT.slice(0, 60) });
    frames += RESTARTED.map((each) => encoder.fact(each)).join('');
    frames += encoder.preview({ stepIndex: 0, attempt: 5, text: second });
    return eventsIn(frames + ENDED.map((each) => encoder.fact(each)).join(''));
  };
  const same = show(TEXT.slice(0, 70));
  expect([textIn(same), same.at(-1)?.type]).toEqual([TEXT, 'response.completed']);
  const other = show('Another text altogether, and longer than one piece of it.');
  expect(other.at(-1)).toMatchObject({ type: 'error', code: 'stream_restarted' });
});

test('a cursor in text that is void is told so: what the client has of it is not known any more', () => {
  const encoder = new ResponseEncoder(source, 0, null);
  STARTED.forEach((each) => encoder.fact(each));
  const [piece] = eventsIn(encoder.preview({ stepIndex: 0, attempt: 3, text: TEXT })).slice(-1);
  const after = piece?.sequence_number ?? 0;
  expect(replay(after, [...STARTED, ...RESTARTED, ...ENDED])).toMatchObject([
    { type: 'error', code: 'stream_restarted' },
  ]);
});

test('pieces of a text never split a surrogate pair', () => {
  const text = `${'a'.repeat(63)}😀${'b'.repeat(40)}`;
  const first = endOfPiece(text, 0, true) ?? 0;
  expect(text.slice(0, first)).toBe(`${'a'.repeat(63)}😀`);
});
