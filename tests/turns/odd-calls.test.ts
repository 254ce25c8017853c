import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { stepSchema, Turn } from '@turnpike/contract';
import type { z } from 'zod';
import { Cluster } from '../support/cluster.ts';
import { untilTrue } from '../support/until-true.ts';

const FAST = { EGRESS_ALLOW: '127.0.0.1', LEASE_MS: '3000', JOB_AGE_MS: '300' };
const PICK = { type: 'client', name: 'pick', description: 'Picks.', input_schema: { type: 'object' } };
const TIME = '{"time_zone":"UTC"}';

let cluster: Cluster;
let server: Server;
/** Bodies that the tool's server was sent; while `holds`, none of them is answered. */
const bodies: string[] = [];
let holds = false;
let agentId: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      bodies.push(Buffer.concat(pieces).toString());
      if (!holds) response.end('fine');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port was given.');
  cluster = await Cluster.start({ workers: 1, environment: FAST });
  await cluster.createTool({
    name: 'order',
    input_schema: { type: 'object', properties: { amount: { type: 'number' }, order: { type: 'integer' } } },
    url: `http://127.0.0.1:${address.port}/order`,
  });
  const tools = [
    { type: 'builtin', name: 'current_time', requires_approval: false },
    { type: 'http', name: 'order' },
    PICK,
  ];
  agentId = (await cluster.createAgent({ tools })).id;
});
beforeEach(async () => {
  await cluster.control.reset();
  bodies.length = 0;
  holds = false;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await cluster.stop();
});

type Step = z.infer<typeof stepSchema>;
type Use = { id?: string; name: string; input?: null; input_json?: string };

/** A turn whose first message has these calls; the model answers once it has their results. */
async function turnWith(uses: Use[], agent = agentId): Promise<Turn> {
  await cluster.control.setScript({
    rules: [{ match: { step: 0 }, reply: { tool_uses: uses } }, { reply: { text: 'Done.' } }],
  });
  return cluster.submit({ agentId: agent }, 'go');
}

async function callsOf(turn: Turn): Promise<Step['tool_calls']> {
  const { body } = await cluster.request('GET', `/v1/turns/${turn.id}/steps`);
  return (body as { items: Step[] }).items.flatMap((step) => step.tool_calls);
}

/** The session takes another turn, and the API refused nothing of what it was sent. */
async function expectUsable(sessionId: string): Promise<void> {
  await cluster.control.setScript({ rules: [] });
  const next = await cluster.submit({ sessionId }, 'and now?');
  expect(await cluster.untilEnded(next.id)).toMatchObject({ status: 'completed' });
  expect(await cluster.control.stats()).toMatchObject({ rejected: 0 });
}

const clock = (more: Partial<Use>): Use => ({ name: 'current_time', input_json: TIME, ...more });

test.each<[string, Use[], boolean[]]>([
  ['an id that stands twice in one message', [clock({ id: 'c' }), clock({ id: 'c' })], [false, false]],
  ['an id with other characters', [clock({ id: 'functions.current_time:0' })], [false]],
  ['an empty id', [clock({ id: '' })], [true]],
  ['an empty name', [clock({ id: 'a', name: '' })], [true]],
  ['a name of 300 characters', [clock({ id: 'a', name: 'x'.repeat(300) })], [true]],
  ['an input that is a list', [clock({ id: 'a', input_json: '["UTC"]' })], [true]],
  ['an input that is a text', [clock({ id: 'a', input_json: '"UTC"' })], [true]],
  ['an input that is null', [clock({ id: 'a', input_json: 'null' })], [true]],
  ['no input', [{ id: 'a', name: 'current_time', input: null }], [true]],
  [
    'a name twice in its input',
    [clock({ input_json: '{"time_zone":"UTC","time_zone":"Asia/Tokyo"}' })],
    [true],
  ],
])('a call with %s is answered, and its session goes on', async (_what, uses, areErrors) => {
  const turn = await cluster.untilEnded((await turnWith(uses)).id);
  expect(turn).toMatchObject({ status: 'completed', output_text: 'Done.' });
  const calls = await callsOf(turn);
  expect(calls.map((call) => call.is_error)).toEqual(areErrors);
  for (const call of calls.filter(({ is_error }) => is_error)) {
    expect(call.output).toMatchObject([{ text: expect.stringMatching(/Nothing was done|There is no tool/) }]);
  }
  await expectUsable(turn.session_id);
});

test('an id that the model uses in two of its messages names two calls', async () => {
  const tool_uses = [clock({ id: 'call_0' })];
  await cluster.control.setScript({
    rules: [{ times: 2, reply: { tool_uses } }, { reply: { text: 'Done.' } }],
  });
  const turn = await cluster.untilEnded((await cluster.submit({ agentId }, 'go')).id);
  expect(turn).toMatchObject({ status: 'completed', step_count: 5 });
  expect((await callsOf(turn)).map(({ tool_use_id, is_error }) => [tool_use_id, is_error])).toEqual([
    ['call_0', false],
    ['call_0', false],
  ]);
  await expectUsable(turn.session_id);
});

test('a call whose JSON is broken is asked for once more, and then the model gets an error', async () => {
  const turn = await cluster.untilEnded((await turnWith([{ name: 'pick', input_json: '{"a": nope}' }])).id);
  expect(turn).toMatchObject({ status: 'completed', output_text: 'Done.' });
  expect(await callsOf(turn)).toMatchObject([
    {
      input: {},
      input_text: '{"a": nope}',
      is_error: true,
      output: [{ text: expect.stringContaining('not valid JSON') }],
    },
  ]);
  expect(await cluster.control.stats()).toMatchObject({ calls: 3, rejected: 0 });
  await expectUsable(turn.session_id);
});

test('a model that writes nothing but broken calls is paid for a few of them, and no more', async () => {
  await cluster.control.setScript({
    rules: [{ reply: { tool_uses: [{ name: 'pick', input_json: '{"a": nope}' }] } }],
  });
  const turn = await cluster.untilEnded((await cluster.submit({ agentId }, 'go')).id);
  expect(turn).toMatchObject({
    status: 'failed',
    error: { code: 'model_unusable_calls', retry_status: 'exhausted' },
  });
  expect(await cluster.control.stats()).toMatchObject({ calls: 6 });
  await expectUsable(turn.session_id);
});

test('a model that pauses without end is stopped after a few of its pauses', async () => {
  await cluster.control.setScript({ rules: [{ reply: { text: 'Wait.', stop_reason: 'pause_turn' } }] });
  const turn = await cluster.untilEnded((await cluster.submit({ agentId }, 'go')).id);
  expect(turn).toMatchObject({ status: 'incomplete', stop_reason: 'pause_turn', step_count: 5 });
  expect(await cluster.control.stats()).toMatchObject({ calls: 5 });
  await expectUsable(turn.session_id);
});

test.each<[string, object]>([
  ['an empty text', { output: '', is_error: true }],
  ['a blank text', { output: ' \n', is_error: true }],
  ['no block', { output: [], is_error: true }],
  [
    'a picture',
    { output: [{ type: 'image', source: { type: 'url', url: 'https://a.invalid/b.png' } }], is_error: true },
  ],
])('an error of the client that is %s can be given to the model', async (_what, output) => {
  const { id } = await turnWith([{ name: 'pick', input_json: '{}' }]);
  const waiting = await cluster.until(id, ['requires_action']);
  const tool_call_id = waiting.required_action?.tool_calls[0]?.id;
  const taken = await cluster.request('POST', `/v1/turns/${id}/tool_outputs`, {
    tool_outputs: [{ tool_call_id, ...output }],
  });
  expect(taken.status).toBe(202);
  const turn = await cluster.untilEnded(id);
  expect(turn.status).toBe('completed');
  await expectUsable(turn.session_id);
});

test('a denial without a word can be given to the model', async () => {
  const tools = [{ type: 'builtin', name: 'current_time', requires_approval: true }];
  const { id } = await turnWith([clock({})], (await cluster.createAgent({ tools })).id);
  const waiting = await cluster.until(id, ['requires_action']);
  const [call] = waiting.required_action?.tool_calls ?? [];
  expect(call).toMatchObject({ input: { time_zone: 'UTC' }, input_text: TIME });
  const denial = { tool_call_id: call?.id, approved: false, reason: '' };
  await cluster.request('POST', `/v1/turns/${id}/tool_outputs`, { tool_outputs: [denial] });
  const turn = await cluster.untilEnded(id);
  expect(turn.status).toBe('completed');
  await expectUsable(turn.session_id);
});

test('an HTTP tool gets the input as the model wrote it, and again the same bytes after its worker died', async () => {
  const written = '{ "amount": 1e400, "order": 2512292042121000001, "b": 1.0, "note": "\\u00e9" }';
  holds = true;
  const { id } = await turnWith([{ name: 'order', input_json: written }]);
  await untilTrue('the tool to be called', () => bodies.length === 1);
  holds = false;
  await cluster.workers[0]?.end('SIGKILL');
  await cluster.startWorker();
  const turn = await cluster.untilEnded(id);
  expect(turn).toMatchObject({ status: 'completed', attempts: 2 });
  expect(bodies).toEqual([written, written]);
  expect(await callsOf(turn)).toMatchObject([
    { input: { amount: '1e400', order: '2512292042121000001', b: 1 }, input_text: written, is_error: false },
  ]);
  await expectUsable(turn.session_id);
});

test('a tool is given what the journal has: what cannot be stored is replaced before either sees it', async () => {
  const turn = await cluster.untilEnded(
    (await turnWith([{ name: 'order', input_json: '{"a":"x\\ud83dy\\u0000z"}' }])).id,
  );
  expect(turn.status).toBe('completed');
  expect(bodies).toEqual(['{"a":"x\\ufffdy\\ufffdz"}']);
  expect(await callsOf(turn)).toMatchObject([{ input: { a: 'x\ufffdy\ufffdz' }, input_text: bodies[0] }]);
  await expectUsable(turn.session_id);
});

test.each([
  ['the client', 'pick', '{"order": 2512292042121000001}'],
  ['a builtin', 'current_time', '{"time_zone": "UTC", "n": 1e400}'],
  ['a schema', 'order', '{"order": 0.99999999999999999999}'],
])(
  'a number that %s cannot be passed on as it is, is an error for the model',
  async (_who, name, input_json) => {
    const turn = await cluster.untilEnded((await turnWith([{ name, input_json }])).id);
    expect(turn.status).toBe('completed');
    expect(await callsOf(turn)).toMatchObject([
      { is_error: true, output: [{ text: expect.stringMatching(/cannot be given .* exactly/) }] },
    ]);
    expect(bodies).toEqual([]);
  },
);
