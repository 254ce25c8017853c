import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Turn } from '@turnpike/contract';
import { Cluster } from '../support/cluster.ts';
import { byLength } from '../support/test-length.ts';

let cluster: Cluster;
let agentId: string;
const schema = {
  type: 'object',
  properties: { city: { type: 'string', minLength: 3 }, degrees: { type: 'integer' } },
  required: ['city', 'degrees'],
};
beforeAll(async () => {
  cluster = await Cluster.join();
  agentId = (await cluster.createAgent({ output_format: { type: 'json_schema', schema }, max_steps: 4 })).id;
});
beforeEach(() => cluster.control.reset());
afterAll(() => cluster.stop());

const VALID = '{"city": "Oslo", "degrees": 4}';
const SECOND = 'Respond again with the whole output';

/** Replies of the model in one session: to the input, then to what it is told of its output. */
const replies = (session: string, first: string, second: string) => [
  { match: { session, text: SECOND }, reply: { text: second } },
  { match: { session }, reply: { text: first } },
];

async function run(session: string) {
  const { id } = await cluster.submit({ agentId }, `[[${session}]] How warm is it?`);
  return cluster.untilEnded(id);
}

test('an output that fits its format is on the turn as a value', async () => {
  await cluster.control.setScript({ rules: replies('fits', VALID, '') });
  expect(await run('fits')).toMatchObject({
    status: 'completed',
    output_text: VALID,
    output_parsed: { city: 'Oslo', degrees: 4 },
    step_count: 1,
  });
});

test.each([
  ['no JSON', 'It is cold.', 'The output is not JSON.'],
  ['nothing', '', 'The output is not JSON.'],
  [
    'a mistake',
    '{"city": "X", "degrees": "4"}',
    'Invalid output: city: must NOT have fewer than 3 characters',
  ],
])('a model whose output has %s is told so, and asked once more', async (_what, first, told) => {
  await cluster.control.setScript({ rules: replies('once', first, VALID) });
  const turn = await run('once');
  expect(turn).toMatchObject({
    status: 'completed',
    output_text: VALID,
    output_parsed: { city: 'Oslo' },
    step_count: 2,
  });
  const { body } = await cluster.request('GET', `/v1/sessions/${turn.session_id}/messages`);
  const texts = (body as { items: { role: string; content: { text: string }[] }[] }).items.map(
    ({ role, content }) => [role, content[0]?.text],
  );
  expect(texts.map(([role]) => role)).toEqual([
    'user',
    ...(first === '' ? [] : ['assistant']),
    'user',
    'assistant',
  ]);
  expect(texts.at(-2)?.[1]).toContain(told);
});

test('an output that does not fit twice ends the turn, and its text is kept', async () => {
  await cluster.control.setScript({ rules: replies('twice', 'Cold.', 'Very cold.') });
  const turn = await run('twice');
  expect(turn).toMatchObject({
    status: 'incomplete',
    stop_reason: 'output_invalid',
    output_text: 'Very cold.',
    output_parsed: null,
    error: { code: 'output_invalid', message: 'The output is not JSON.' },
  });
  await cluster.control.setScript({ rules: [{ reply: { text: VALID } }] });
  const next = await cluster.untilEnded((await cluster.submit({ sessionId: turn.session_id }, 'Again')).id);
  expect(next).toMatchObject({ status: 'completed', output_parsed: { city: 'Oslo' } });
});

test('where the turn may call the model no more, the first output that does not fit ends it', async () => {
  const format = { type: 'json_schema', schema };
  const { id } = await cluster.createAgent({ output_format: format, max_steps: 1 });
  await cluster.control.setScript({ rules: [{ reply: { text: 'Cold.' } }] });
  expect(await cluster.untilEnded((await cluster.submit({ agentId: id }, 'Warm?')).id)).toMatchObject({
    status: 'incomplete',
    stop_reason: 'output_invalid',
    output_text: 'Cold.',
    output_parsed: null,
    step_count: 1,
  });
});

test('what a turn said is kept where it ends before the model is asked again', async () => {
  await cluster.control.setScript({ rules: replies('spent', 'Cold.', VALID) });
  const usage = { input_tokens: 0, output_tokens: 2_000 };
  await cluster.control.setScript({ rules: [{ reply: { text: 'Cold.', usage } }] });
  const { id } = await cluster.submit({ agentId }, 'Warm?', { budget_micros: 85_000 });
  expect(await cluster.untilEnded(id)).toMatchObject({
    status: 'incomplete',
    stop_reason: 'budget',
    output_text: 'Cold.',
    step_count: 1,
  });
});

test('the value is what the model writes after the last tool that the API ran', async () => {
  const format = { type: 'json_schema', schema };
  const { id } = await cluster.createAgent({
    output_format: format,
    tools: [{ type: 'server', name: 'web_search' }],
  });
  const search = {
    name: 'web_search' as const,
    input: { query: 'Oslo' },
    result: [{ type: 'web_search_result', url: 'https://a.example', title: 'A', encrypted_content: 'E' }],
  };
  await cluster.control.setScript({
    rules: [
      { times: 1, reply: { text: 'I will look.', server_calls: [search], stop_reason: 'pause_turn' } },
      { reply: { text: VALID } },
    ],
  });
  expect(await cluster.untilEnded((await cluster.submit({ agentId: id }, 'Warm?')).id)).toMatchObject({
    status: 'completed',
    output_text: VALID,
    output_parsed: { city: 'Oslo', degrees: 4 },
    step_count: 2,
  });
});

test('documents are read without citations, which the API refuses beside a format', async () => {
  await cluster.control.setScript({ rules: [{ reply: { text: VALID } }] });
  const source = { type: 'text', media_type: 'text/plain', data: 'It is four degrees.' };
  const input = [{ type: 'document', source, citations: { enabled: true } }];
  const { body } = await cluster.request('POST', '/v1/turns', { agent_id: agentId, input });
  const { id } = body as { id: string };
  expect(await cluster.untilEnded(id)).toMatchObject({ status: 'completed', output_text: VALID });
  expect(await cluster.control.stats()).toMatchObject({ rejected: 0 });
});

test('what the model refuses, or has no tokens for, is not asked for again', async () => {
  for (const [stop_reason, status] of [
    ['refusal', 'completed'],
    ['max_tokens', 'incomplete'],
  ] as const) {
    await cluster.control.setScript({ rules: [{ reply: { text: '{"ci', stop_reason } }] });
    expect(await run(stop_reason)).toMatchObject({ status, stop_reason, output_parsed: null, step_count: 1 });
  }
});

test('of many turns whose model breaks the format one time in five, every output is valid or said not to be', async () => {
  const count = byLength({ short: 40, long: 1_000 });
  const BROKEN = '{"city": "X"}';
  const isBroken = (call: number) => call % 5 === 0;
  const kindOf = (turn: number) => [isBroken(turn), isBroken(Math.floor(turn / 5))].join();
  const rules = [true, false].flatMap((first) =>
    [true, false].flatMap((second) =>
      replies([first, second].join(), first ? BROKEN : VALID, second ? BROKEN : VALID),
    ),
  );
  await cluster.control.setScript({ rules });
  const turns: Turn[] = [];
  // A hundred clients: a machine has only so many connections at once.
  for (let start = 0; start < count; start += 100) {
    const some = Array.from({ length: Math.min(100, count - start) }, (_, n) => run(kindOf(start + n)));
    turns.push(...(await Promise.all(some)));
  }
  for (const turn of turns) {
    if (turn.status === 'completed') expect(turn.output_parsed).toEqual({ city: 'Oslo', degrees: 4 });
    else
      expect(turn).toMatchObject({
        status: 'incomplete',
        stop_reason: 'output_invalid',
        output_parsed: null,
      });
  }
  const expected = turns.filter((_, turn) => kindOf(turn) === 'true,true');
  expect(turns.filter(({ status }) => status !== 'completed')).toEqual(expected);
});
