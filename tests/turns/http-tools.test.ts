import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Turn } from '@turnpike/contract';
import { Webhook } from 'standardwebhooks';
import { Cluster } from '../support/cluster.ts';
import { untilTrue } from '../support/until-true.ts';

interface Received {
  path: string;
  headers: IncomingMessage['headers'];
  body: string;
  answer(status: number, body: unknown): void;
}

let cluster: Cluster;
let server: Server;
let url: string;
/** What the tool server got; calls to `/hold` wait for the test's answer. */
const received: Received[] = [];

beforeAll(async () => {
  server = createServer((request, response) => void receive(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port was given.');
  url = `http://127.0.0.1:${address.port}`;
  cluster = await Cluster.start({
    workers: 1,
    environment: {
      EGRESS_ALLOW: '127.0.0.1',
      LEASE_MS: '3000',

      JOB_AGE_MS: '300',
    },
  });
});
beforeEach(() => cluster.control.reset());
afterEach(() => void received.splice(0));
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await cluster.stop();
});

async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const path = request.url ?? '';
  const answer = (status: number, body: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  received.push({ path, headers: request.headers, body: Buffer.concat(chunks).toString(), answer });
  if (path.startsWith('/ask')) answer(200, { status: path.split('?')[0]?.slice(5), output: 'It did.' });
  else if (!path.startsWith('/hold')) answer(200, { done: path });
}

const hits = (path: string): Received[] => received.filter((call) => call.path.startsWith(path));

/** Registers the tools, lets the model call each of them once, and submits a turn. */
async function startTurn(tools: Record<string, Record<string, unknown>>): Promise<Turn> {
  for (const [name, tool] of Object.entries(tools)) {
    const input_schema = { type: 'object', properties: { n: { type: 'number' } } };
    secrets.set(name, await cluster.createTool({ name, input_schema, ...tool }));
  }
  await cluster.control.setScript({
    rules: [
      {
        match: { step: 0 },
        reply: { tool_uses: Object.keys(tools).map((name) => ({ name, input: { n: 1 } })) },
      },
    ],
  });
  const agent = await cluster.createAgent({
    tools: Object.keys(tools).map((name) => ({ type: 'http', name })),
  });
  return cluster.submit({ agentId: agent.id }, 'Call them all');
}
const secrets = new Map<string, string>();

/** The worker that runs the call is killed while the call is on its way; another one takes over. */
async function killDuring(path: string): Promise<void> {
  await untilTrue(`${path} is called`, () => hits(path).length > 0);
  await cluster.workers.at(-1)?.end('SIGKILL');
  await cluster.startWorker();
}

test('a tool of the tenant gets its input, signed, with a key of its own and the secret that it names', async () => {
  await cluster.request('PUT', '/v1/secrets/crm', { value: 'crm-secret-value-123' });
  const turn = await startTurn({
    signed: { url: `${url}/signed`, headers: { 'X-Crm': { secret: 'crm' }, 'X-Plain': 'yes' } },
  });
  expect((await cluster.untilEnded(turn.id)).status).toBe('completed');
  const [call] = hits('/signed');
  const { body } = await cluster.request('GET', `/v1/turns/${turn.id}/steps`);
  const { items } = body as { items: { tool_calls: { id: string }[] }[] };
  expect(call?.headers).toMatchObject({
    'idempotency-key': items[0]?.tool_calls[0]?.id,
    'x-crm': 'crm-secret-value-123',
    'x-plain': 'yes',
  });
  const webhook = new Webhook(secrets.get('signed') ?? '');
  expect(webhook.verify(call?.body ?? '', call?.headers as Record<string, string>)).toEqual({ n: 1 });
  const said = [...(cluster.api?.lines ?? []), ...cluster.workers.flatMap((worker) => worker.lines)].join(
    '\n',
  );
  expect(said).not.toContain('crm-secret-value-123');
  expect(said).not.toContain(secrets.get('signed'));
});

test('a call whose worker was killed is sent again with the same key where that is safe, and only there', async () => {
  const turn = await startTurn({
    again: { url: `${url}/hold/again`, effect: 'idempotent' },
    never: { url: `${url}/hold/never`, effect: 'once' },
  });
  await untilTrue('both are called', () => hits('/hold').length === 2);
  await killDuring('/hold/again');
  await untilTrue('it is sent again', () => hits('/hold/again').length > 1);
  hits('/hold/again').at(-1)?.answer(200, 'second time');
  expect((await cluster.untilEnded(turn.id)).status).toBe('completed');

  const [first, second] = hits('/hold/again');
  expect(second?.headers['idempotency-key']).toBe(first?.headers['idempotency-key']);
  expect(hits('/hold/never')).toHaveLength(1);
  const { body } = await cluster.request('GET', `/v1/turns/${turn.id}/steps`);
  expect(body).toMatchObject({
    items: [
      {
        tool_calls: [
          { name: 'again', status: 'completed', attempts: 2 },
          { name: 'never', status: 'unknown', is_error: true, attempts: 1 },
        ],
      },
      {},
      {},
    ],
  });
  expect(await cluster.control.stats()).toMatchObject({ calls: 2, duplicates: 0, rejected: 0 });
});

test('a tool that can be asked is asked whether the call happened: its answer is taken, or the call is made', async () => {
  const turn = await startTurn({
    happened: {
      url: `${url}/hold/happened`,
      effect: 'reconcile',
      reconcile_url: `${url}/ask-completed`,
    },
  });
  await killDuring('/hold/happened');
  expect((await cluster.untilEnded(turn.id)).status).toBe('completed');
  expect(hits('/hold/happened')).toHaveLength(1);
  expect((await cluster.conversation(turn.session_id)).join()).toContain('It did.');

  const other = await startTurn({
    missing: { url: `${url}/hold/missing`, effect: 'reconcile', reconcile_url: `${url}/ask-not_found` },
  });
  await killDuring('/hold/missing');
  await untilTrue('it is made', () => hits('/hold/missing').length > 1);
  hits('/hold/missing').at(-1)?.answer(200, 'done');
  expect((await cluster.untilEnded(other.id)).status).toBe('completed');
});

test('a person is asked how a call ended, and what its sibling said is kept', async () => {
  const turn = await startTurn({
    sibling: { url: `${url}/hold/sibling`, effect: 'once' },
    asked: { url: `${url}/hold/asked`, effect: 'once', on_unknown: 'ask', timeout_ms: 300 },
  });
  await untilTrue('both are called', () => hits('/hold').length === 2);
  await untilTrue('one has no answer', async () => {
    const { rows } = await cluster.database.pool.query(
      `SELECT 1 FROM tool_calls WHERE turn_id = $1 AND awaiting = 'outcome'`,
      [turn.id],
    );
    return rows.length > 0;
  });
  // The sibling is the last to end: nothing closes the round, and still nothing of it is lost.
  hits('/hold/sibling')[0]?.answer(200, 'sibling was here');
  const waiting = await cluster.until(turn.id, ['requires_action']);
  const [call] = waiting.required_action?.tool_calls ?? [];
  expect(call).toMatchObject({ name: 'asked', awaiting: 'outcome' });
  await cluster.request('POST', `/v1/turns/${turn.id}/tool_outputs`, {
    tool_outputs: [{ tool_call_id: call?.id, output: 'It was sent, says Ada.' }],
  });
  expect((await cluster.untilEnded(turn.id)).status).toBe('completed');
  const said = (await cluster.conversation(turn.session_id)).join();
  expect(said).toContain('sibling was here');
  expect(said).toContain('It was sent, says Ada.');
  expect(hits('/hold')).toHaveLength(2);
});

test('a call whose outcome is asked for is not sent again by an approval, and is by the word for it, as the same call', async () => {
  const turn = await startTurn({
    paid: { url: `${url}/hold/paid`, effect: 'once', on_unknown: 'ask', timeout_ms: 500 },
  });
  const waiting = await cluster.until(turn.id, ['requires_action']);
  const answer = (given: object) =>
    cluster.request('POST', `/v1/turns/${turn.id}/tool_outputs`, {
      tool_outputs: [{ tool_call_id: waiting.required_action?.tool_calls[0]?.id, ...given }],
    });
  expect((await answer({ approved: true })).body).toMatchObject({ status: 400, code: 'invalid_request' });
  expect((await answer({ approved: false })).status).toBe(400);
  expect((await cluster.read(turn.id)).status).toBe('requires_action');
  expect(hits('/hold/paid')).toHaveLength(1);

  expect((await answer({ send_again: true })).status).toBe(202);
  await untilTrue('it is sent again', () => hits('/hold/paid').length === 2);
  hits('/hold/paid')[1]?.answer(200, 'paid');
  expect((await cluster.untilEnded(turn.id)).status).toBe('completed');
  const keys = hits('/hold/paid').map(({ headers }) => headers['idempotency-key']);
  expect(keys).toEqual([waiting.required_action?.tool_calls[0]?.id, keys[0]]);
  expect(hits('/hold/paid')[1]?.body).toBe(hits('/hold/paid')[0]?.body);
});

test('a secret that was bound to other hosts since its tool was registered is not sent, nor is the call', async () => {
  const put = (allowed_hosts: string[]) =>
    cluster.request('PUT', '/v1/secrets/bound', { value: 'bound-secret-value-9', allowed_hosts });
  await put(['127.0.0.1']);
  const tool = { url: `${url}/bound`, headers: { 'X-Bound': { secret: 'bound' } } };
  expect((await cluster.untilEnded((await startTurn({ bound: tool })).id)).status).toBe('completed');
  expect(hits('/bound')).toHaveLength(1);
  await put(['crm.invalid']);
  const agent = await cluster.createAgent({ tools: [{ type: 'http', name: 'bound' }] });
  const refused = await cluster.submit({ agentId: agent.id }, 'Call it');
  expect((await cluster.untilEnded(refused.id)).status).toBe('completed');
  const said = (await cluster.conversation(refused.session_id)).join();
  expect(said).toContain('secret_refused: The secret bound is not sent to 127.0.0.1');
  expect(hits('/bound')).toHaveLength(1);
});

test('a turn fails where its tool must not be left unknown', async () => {
  const turn = await startTurn({
    strict: { url: `${url}/hold/strict`, effect: 'once', on_unknown: 'fail', timeout_ms: 300 },
  });
  expect(await cluster.untilEnded(turn.id)).toMatchObject({
    status: 'failed',
    error: { code: 'tool_outcome_unknown', retry_status: 'terminal' },
  });
  const next = await cluster.submit({ sessionId: turn.session_id }, 'and now?');
  await cluster.control.setScript({ rules: [] });
  expect((await cluster.untilEnded(next.id)).status).toBe('completed');
  expect(await cluster.control.stats()).toMatchObject({ rejected: 0 });
});

test('input that does not fit the schema is never sent, and the model reads why', async () => {
  const turn = await startTurn({
    picky: {
      url: `${url}/picky`,
      input_schema: { type: 'object', properties: { n: { type: 'string' } }, required: ['n'] },
    },
  });
  expect((await cluster.untilEnded(turn.id)).status).toBe('completed');
  expect(hits('/picky')).toEqual([]);
  expect((await cluster.conversation(turn.session_id)).join()).toMatch(/n.*string/);
});
