import { expect, test } from '@jest/globals';
import type { ContentBlock, Turn, TurnFact } from '@turnpike/contract';
import { ChatEncoder } from './chat-encoder.ts';

const TURN = 'turn_01kapjt9e8f7ga5vxq3c2m4n6r';
const turn = (fields: object = {}): Turn =>
  ({
    id: TURN,
    session_id: 'sess_1',
    status: 'completed',
    stop_reason: 'end_turn',
    ...fields,
  }) as unknown as Turn;

let number = 0;
const fact = (type: TurnFact['type'], fields: object = {}): TurnFact =>
  ({ type, turn_id: TURN, sequence_number: ++number, ...fields }) as unknown as TurnFact;
const started = (index: number): TurnFact => fact('step.started', { step_index: index });
const completed = (index: number, ...content: ContentBlock[]): TurnFact =>
  fact('step.completed', { step: { type: 'model_call', index, content } });
const text = (said: string): ContentBlock => ({ type: 'text', text: said });
const call = (id: string): ContentBlock => ({ type: 'tool_use', id, name: 'look_up', input: { id } });
const waits = (awaiting: string, ...ids: string[]): TurnFact =>
  fact('turn.requires_action', {
    required_action: {
      tool_calls: ids.map((id) => ({ id: `call_${id}`, tool_use_id: id, name: 'look_up', awaiting })),
    },
  });
const result = (id: string, said: string, isError = false): TurnFact =>
  fact('tool.completed', {
    tool_call: {
      id: `call_${id}`,
      tool_use_id: id,
      name: 'look_up',
      is_error: isError,
      output: [text(said)],
    },
  });

interface Options {
  from?: number;
  passed?: number;
  thinks?: boolean;
  clientTools?: string[];
}

function encoderOf({ from = 0, passed = from, thinks = false, clientTools = [] }: Options = {}): ChatEncoder {
  const source = {
    turn: turn(),
    clientTools: new Set(clientTools),
    thinks,
    origin: 'https://turnpike.invalid',
  };
  return new ChatEncoder(source, { from, passed });
}

type Chunk = Record<string, unknown>;
const read = (frames: string): Chunk[] =>
  frames
    .split('\n\n')
    .filter((frame) => frame !== '' && frame !== 'data: [DONE]')
    .map((frame) => JSON.parse(frame.replace(/^data: /, '')) as Chunk);
const typesOf = (chunks: Chunk[]): unknown[] => chunks.map(({ type }) => type);
const encode = (encoder: ChatEncoder, facts: TurnFact[]): Chunk[] =>
  read(encoder.begin() + facts.map((each) => encoder.fact(each)).join(''));

test('text is shown while it is written, once, and what was committed of it afterwards', () => {
  const encoder = encoderOf();
  const begin = started(0);
  const attempt = begin.sequence_number;
  const shown = [
    encoder.fact(begin),
    encoder.preview({ stepIndex: 0, attempt, text: 'It is' }),
    encoder.preview({ stepIndex: 0, attempt, text: 'It is noon' }),
    encoder.preview({ stepIndex: 0, attempt: attempt - 1, text: 'Old' }),
    encoder.fact(completed(0, text('It is noon.'))),
    encoder.fact(fact('turn.completed', { turn: turn() })),
  ].join('');
  const chunks = read(shown);
  expect(chunks.flatMap(({ delta }) => delta ?? [])).toEqual(['It is', ' noon', '.']);
  expect(typesOf(chunks)).toEqual([
    'start-step',
    'text-start',
    'text-delta',
    'text-delta',
    'text-delta',
    'text-end',
    'finish-step',
    'finish',
  ]);
  expect(shown.endsWith('data: [DONE]\n\n')).toBe(true);
  expect(encoder.ended).toBe(true);
});

test.each([
  ['goes on where it begins with what was shown', 'It is noon.', ['It ', 'is noon.'], false],
  ['takes back what was shown where it does not', 'Is it?', ['It ', 'Is it?'], true],
])('a model call that is made again %s', (_title, said, deltas, isReset) => {
  const encoder = encoderOf();
  const first = started(0);
  encoder.fact(first);
  let frames = encoder.preview({ stepIndex: 0, attempt: first.sequence_number, text: 'It ' });
  const second = fact('step.restarted', { step_index: 0 });
  frames += encoder.fact(second);
  frames += encoder.preview({ stepIndex: 0, attempt: second.sequence_number, text: said.slice(0, 1) });
  frames += encoder.preview({ stepIndex: 0, attempt: second.sequence_number, text: said });
  frames += encoder.fact(completed(0, text(said)));
  const chunks = read(frames);
  expect(chunks.flatMap(({ delta }) => delta ?? [])).toEqual(deltas);
  expect(typesOf(chunks).includes('reset-step')).toBe(isReset);
  expect(typesOf(chunks).filter((type) => type === 'start-step')).toHaveLength(1);
});

test('thinking has its place before the text, whenever it is known', () => {
  const thinking = { type: 'thinking', thinking: 'Hm.', signature: 's' };
  const chunks = encode(encoderOf({ thinks: true }), [started(0), completed(0, thinking, text('Noon.'))]);
  expect(typesOf(chunks).slice(2, 4)).toEqual(['reasoning-start', 'text-start']);
  expect(chunks).toContainEqual({ type: 'reasoning-delta', id: 'reasoning-0', delta: 'Hm.' });
});

test('a stream ends where the turn waits, and a later one passes what was answered', () => {
  const facts = [started(0), completed(0, call('a')), waits('approval', 'a')];
  const first = encode(encoderOf(), facts);
  expect(typesOf(first)).toEqual([
    'start',
    'start-step',
    'tool-input-available',
    'tool-approval-request',
    'finish-step',
    'finish',
  ]);
  const passed = facts.at(-1)?.sequence_number ?? 0;
  const rest = [result('a', '{"n":1}'), started(1), started(2), completed(2, text('One.'))];
  const end = fact('turn.completed', { turn: turn() });
  const whole = encode(encoderOf({ passed }), [...facts, ...rest, end]);
  // Nobody is asked for what was answered.
  expect(typesOf(whole)).not.toContain('tool-approval-request');
  expect(whole).toContainEqual({
    type: 'tool-output-available',
    toolCallId: 'a',
    output: { n: 1 },
    providerExecuted: true,
  });
  // The client that answered has what came before.
  const later = encode(encoderOf({ from: passed }), [...facts, ...rest, end]);
  expect(typesOf(later)).toEqual([
    'start',
    'tool-output-available',
    'start-step',
    'text-start',
    'text-delta',
    'text-end',
    'finish-step',
    'finish',
  ]);
});

test('a call that the turn ended without is an error, and a client that answered it gets a step of its own', () => {
  const facts = [started(0), completed(0, call('a'), call('b')), waits('output', 'a', 'b')];
  const from = facts.at(-1)?.sequence_number ?? 0;
  const cancelled = fact('turn.cancelled', { turn: turn({ status: 'cancelled', stop_reason: null }) });
  const options = { from, clientTools: ['look_up'] };
  const chunks = encode(encoderOf(options), [...facts, result('a', 'No.', true), cancelled]);
  expect(chunks.slice(1)).toEqual([
    { type: 'tool-output-error', toolCallId: 'a', errorText: 'No.' },
    expect.objectContaining({ type: 'tool-output-error', toolCallId: 'b' }),
    { type: 'start-step' },
    { type: 'finish-step' },
    { type: 'abort', reason: expect.any(String) },
    expect.objectContaining({ type: 'finish', finishReason: 'other' }),
  ]);
});

test('what the model API runs has its result at once, and what is cited is a source', () => {
  const content = [
    { type: 'server_tool_use', id: 's', name: 'web_search', input: { query: 'noon' } },
    {
      type: 'web_search_tool_result',
      tool_use_id: 's',
      content: [{ type: 'web_search_result', url: 'https://noon.invalid', encrypted_content: 'x' }],
    },
    {
      ...text('Noon.'),
      citations: [
        { type: 'web_search_result_location', url: 'https://noon.invalid', title: 'Noon' },
        { type: 'web_search_result_location', url: 'https://noon.invalid', title: 'Noon' },
        { type: 'page_location', document_index: 0, document_title: 'Times' },
      ],
    },
  ];
  const chunks = encode(encoderOf(), [started(0), completed(0, ...content)]);
  expect(chunks).toContainEqual({
    type: 'tool-output-available',
    toolCallId: 's',
    output: [{ type: 'web_search_result', url: 'https://noon.invalid' }],
    providerExecuted: true,
  });
  expect(chunks.filter(({ sourceId }) => sourceId !== undefined)).toEqual([
    { type: 'source-url', sourceId: `${TURN}-0-0`, url: 'https://noon.invalid', title: 'Noon' },
    { type: 'source-document', sourceId: `${TURN}-0-1`, mediaType: 'application/pdf', title: 'Times' },
  ]);
});

test('a question is a data part until it is answered', () => {
  const facts = [started(0), completed(0, call('a')), waits('answer', 'a')];
  const passed = facts.at(-1)?.sequence_number ?? 0;
  const chunks = encode(encoderOf({ passed }), [...facts, result('a', 'Yes.')]);
  expect(chunks.filter(({ type }) => type === 'data-action')).toMatchObject([
    { id: 'call_a', data: { tool_call_id: 'call_a', awaiting: 'answer' } },
    { id: 'call_a', data: { settled: true } },
  ]);
});
