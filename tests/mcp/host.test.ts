import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import type { VersionNegotiationMode } from '@modelcontextprotocol/client';
import {
  createTaskSessionFromClient,
  resultFromTaskOutcome,
  type RawClientDispatch,
} from '@modelcontextprotocol/ext-tasks/client';
import type { JsonValue } from '@modelcontextprotocol/ext-tasks/core';
import { createApiKey } from '@turnpike/store';
import { z } from 'zod';
import { Cluster } from '../support/cluster.ts';
import { callTools, outputOf, registerServer } from './support/mcp-cluster.ts';

/* Turnpike's own `/mcp`, driven by the official client as any host does it. */

const INFO = { name: 'host', version: '1.0.0' };
const responseSchema = z.union([
  z.object({ result: z.json() }).transform(({ result }) => ({ kind: 'result' as const, result })),
  z
    .object({ error: z.object({ code: z.int(), message: z.string() }) })
    .transform(({ error }) => ({ kind: 'error' as const, error })),
]);

const resultSchema = z.object({
  isError: z.boolean().optional(),
  content: z.array(z.object({ text: z.string() })),
  structuredContent: z
    .object({
      turn_id: z.string(),
      session_id: z.string(),
      status: z.string(),
      output_text: z.string().nullable(),
    })
    .optional(),
});
type Result = z.infer<typeof resultSchema>;

let cluster: Cluster;
let key: string;
const clients: Client[] = [];

beforeAll(async () => {
  cluster = await Cluster.join();
  ({ key } = await createApiKey(cluster.database.pool, {
    tenantId: cluster.tenantId,
    name: 'host',
    scopes: ['mcp'],
  }));
  await cluster.createAgent({ name: 'Travel clerk', metadata: { description: 'Plans journeys.' } });
});
beforeEach(() => cluster.control.reset());
afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await cluster.stop();
});

async function connect(
  mode: VersionNegotiationMode = 'auto',
  apiKey = key,
  headers: Record<string, string> = {},
): Promise<Client> {
  const client = new Client({ name: 'host', version: '1.0.0' }, { versionNegotiation: { mode } });
  await client.connect(
    new StreamableHTTPClientTransport(new URL(`${cluster.url}/mcp`), {
      requestInit: { headers: { authorization: `Bearer ${apiKey}`, ...headers } },
    }),
  );
  clients.push(client);
  return client;
}

const call = async (client: Client, name: string, input: Record<string, unknown>): Promise<Result> =>
  resultSchema.parse(await client.callTool({ name, arguments: input }));

/** Sends a request as it is: the client of the SDK refuses the results of the extension. */
const dispatchTo =
  (url: string, apiKey = key): RawClientDispatch =>
  async (request) => {
    const { method, params } = z
      .object({
        method: z.string(),
        params: z.object({ name: z.string().optional(), taskId: z.string().optional() }),
      })
      .parse(request);
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${apiKey}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': method,
        'mcp-name': params.name ?? params.taskId ?? '',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...(request as object) }),
    });
    return responseSchema.parse(await response.json());
  };

const framed = (request: { params: object }, clientCapabilities: object): JsonValue =>
  JSON.parse(
    JSON.stringify({
      ...request,
      params: {
        ...request.params,
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientInfo': INFO,
          'io.modelcontextprotocol/clientCapabilities': clientCapabilities,
        },
      },
    }),
  ) as JsonValue;

test.each(['auto', 'legacy'] as const)(
  'a host lists the agents as tools and gives them work, with the protocol negotiated as %s',
  async (mode) => {
    const client = await connect(mode);
    expect(client.getProtocolEra()).toBe(mode === 'auto' ? 'modern' : 'legacy');
    const { tools } = await client.listTools();
    expect(tools.map(({ name, description }) => [name, description])).toEqual(
      expect.arrayContaining([
        ['Travel_clerk', 'Plans journeys.'],
        ['get_turn', expect.any(String)],
        ['cancel_turn', expect.any(String)],
      ]),
    );
    await cluster.control.setScript({ rules: [{ match: {}, reply: { text: 'To Lisbon, then.' } }] });
    const result = await call(client, 'Travel_clerk', { input: 'Where to?', wait_seconds: 60 });
    expect(result.content[0]?.text).toBe('To Lisbon, then.');
    expect(result.structuredContent).toMatchObject({ status: 'completed', output_text: 'To Lisbon, then.' });
    const again = await call(client, 'Travel_clerk', {
      input: 'And then?',
      session_id: result.structuredContent?.session_id,
      wait_seconds: 60,
    });
    expect(again.structuredContent?.session_id).toBe(result.structuredContent?.session_id);
  },
);

test('a turn that takes long is polled, and cancelled', async () => {
  const client = await connect();
  await cluster.control.setScript({ rules: [{ match: {}, fault: { type: 'hang' } }] });
  const begun = await call(client, 'Travel_clerk', { input: 'Think long.', wait_seconds: 0 });
  const id = begun.structuredContent?.turn_id ?? '';
  expect(['queued', 'in_progress']).toContain(begun.structuredContent?.status);
  expect(begun.content[0]?.text).toContain('Ask for it with get_turn.');
  await call(client, 'cancel_turn', { turn_id: id });
  const ended = await call(client, 'get_turn', { turn_id: id, wait_seconds: 60 });
  expect(ended.structuredContent?.status).toBe('cancelled');
});

test('a host that follows tasks is given one for a turn that takes long, asks for it, and cancels it', async () => {
  const client = await connect();
  const session = createTaskSessionFromClient(client, {
    endpointId: 'turnpike',
    rawDispatch: dispatchTo(`${cluster.url}/mcp`),
    v2RequestFraming: { protocolVersion: '2026-07-28', clientInfo: INFO, clientCapabilities: {} },
    // It does not read the list as the client of the SDK gives it.
    tools: { currentTool: () => undefined },
  });
  await cluster.control.setScript({
    rules: [{ match: {}, reply: { text: 'At last.' } }],
  });
  const long = await session.callTool('Travel_clerk', { input: 'Think long.', wait_seconds: 0 });
  expect(long.kind).toBe('task');
  const { outcome } = await long.settle();
  expect(resultFromTaskOutcome(outcome)).toMatchObject({ structuredContent: { output_text: 'At last.' } });
  await cluster.control.setScript({ rules: [{ match: {}, fault: { type: 'hang' } }] });
  const endless = await session.callTool('Travel_clerk', { input: 'For ever.', wait_seconds: 0 });
  await endless.cancel();
  expect((await endless.settle()).outcome.status).toBe('cancelled');
  await cluster.control.setScript({ rules: [{ match: {}, reply: { text: 'At once.' } }] });
  const quick = await session.callTool('Travel_clerk', { input: 'Quick.', wait_seconds: 60 });
  expect(quick.kind).toBe('immediate');
  await session.close();
});

test('a task is shown to clients that declare the extension alone, and to its own tenant alone', async () => {
  const begun = await call(await connect(), 'Travel_clerk', { input: 'Hi', wait_seconds: 0 });
  const taskId = begun.structuredContent?.turn_id ?? '';
  const request = { jsonrpc: '2.0', id: 1, method: 'tasks/get', params: { taskId } };
  const ask = (capabilities: object, apiKey: string) =>
    dispatchTo(`${cluster.url}/mcp`, apiKey)(framed(request, capabilities));
  const declared = { extensions: { 'io.modelcontextprotocol/tasks': {} } };
  expect(await ask(declared, key)).toMatchObject({
    kind: 'result',
    result: { taskId, resultType: 'complete' },
  });
  expect(await ask({}, key)).toMatchObject({ kind: 'error', error: { code: -32_021 } });
  const theirs = await Cluster.join();
  try {
    const { key: foreign } = await createApiKey(theirs.database.pool, {
      tenantId: theirs.tenantId,
      name: 'foreign',
      scopes: ['mcp'],
    });
    expect(await ask(declared, foreign)).toMatchObject({ kind: 'error', error: { code: -32_602 } });
  } finally {
    await theirs.stop();
  }
});

test('nothing is announced, and no host takes a subscription from another', async () => {
  const client = await connect();
  expect(client.getServerCapabilities()?.tools).toEqual({ listChanged: false });
  const request = { jsonrpc: '2.0', id: 1, method: 'subscriptions/listen', params: { notifications: {} } };
  for (let times = 0; times < 2; times += 1) {
    expect(await dispatchTo(`${cluster.url}/mcp`)(framed(request, {}))).toMatchObject({ kind: 'error' });
  }
});

test('of two agents with one name, a host that calls it goes on with the older one', async () => {
  const { id: older } = await cluster.createAgent({ name: 'twin' });
  const { id: newer } = await cluster.createAgent({ name: 'twin' });
  const client = await connect();
  const { tools } = await client.listTools();
  const names = tools.flatMap(({ name }) => (name.startsWith('twin') ? [name] : []));
  expect(names).toHaveLength(2);
  const agentOf = async (name: string) => {
    const { structuredContent } = await call(client, name, { input: 'Hi', wait_seconds: 0 });
    return (await cluster.read(structuredContent?.turn_id ?? '')).agent_id;
  };
  expect(await agentOf('twin')).toBe(older);
  expect(await agentOf(names.find((name) => name !== 'twin') ?? '')).toBe(newer);
});

test('calls with one idempotency key give work once, in the input and in the header', async () => {
  await cluster.control.setScript({ rules: [{ match: {}, reply: { text: 'Once.' } }] });
  const client = await connect();
  const work = { input: 'Pay.', idempotency_key: 'pay-1' };
  const first = await call(client, 'Travel_clerk', work);
  const second = await call(client, 'Travel_clerk', work);
  expect(second.structuredContent?.turn_id).toBe(first.structuredContent?.turn_id);
  const other = await call(client, 'Travel_clerk', { input: 'Pay twice.', idempotency_key: 'pay-1' });
  expect([other.isError, other.content[0]?.text]).toEqual([true, expect.stringContaining('idempotency')]);
  const keyed = await connect('auto', key, { 'idempotency-key': 'header-1' });
  const ids = [
    (await call(keyed, 'Travel_clerk', { input: 'Hi' })).structuredContent?.turn_id,
    (await call(keyed, 'Travel_clerk', { input: 'Hi' })).structuredContent?.turn_id,
  ];
  expect(ids[0]).toBe(ids[1]);
});

test('a key without the scope, and a tenant without the turn, get nothing', async () => {
  const { key: other } = await createApiKey(cluster.database.pool, {
    tenantId: cluster.tenantId,
    name: 'other',
    scopes: ['turns:write', 'turns:read'],
  });
  await expect(connect('auto', other)).rejects.toThrow();
  await expect(connect('auto', 'nonsense')).rejects.toThrow();
  const mine = await call(await connect(), 'Travel_clerk', { input: 'Mine.', wait_seconds: 0 });
  const theirs = await Cluster.join();
  try {
    const { key: foreign } = await createApiKey(theirs.database.pool, {
      tenantId: theirs.tenantId,
      name: 'foreign',
      scopes: ['mcp'],
    });
    const client = await connect('auto', foreign);
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['get_turn', 'cancel_turn']);
    for (const tool of ['get_turn', 'cancel_turn']) {
      const refused = await call(client, tool, { turn_id: mine.structuredContent?.turn_id ?? '' });
      expect([refused.isError, refused.content[0]?.text]).toEqual([
        true,
        expect.stringContaining('not_found'),
      ]);
    }
    expect(
      await fetch(`${cluster.url}/v1/turns`, { headers: { authorization: `Bearer ${foreign}` } }),
    ).toMatchObject({
      status: 403,
    });
  } finally {
    await theirs.stop();
  }
});

test("an agent gives another installation's agents work: Turnpike calls Turnpike, once for each call", async () => {
  const { key: foreign } = await createApiKey(cluster.database.pool, {
    tenantId: cluster.tenantId,
    name: 'peer',
    scopes: ['mcp'],
  });
  await cluster.request('PUT', '/v1/secrets/peer', { value: `Bearer ${foreign}` });
  await registerServer(cluster, 'peer', `${cluster.url}/mcp`, {
    headers: { Authorization: { secret: 'peer' } },
  });
  const { id } = await cluster.createAgent({
    tools: [{ type: 'mcp', server: 'peer', tools: ['Travel_clerk'] }],
  });
  const turn = await callTools(cluster, id, [
    { name: 'peer__Travel_clerk', input: { input: 'Say a word.', wait_seconds: 60 } },
  ]);
  expect((await cluster.untilEnded(turn.id)).status).toBe('completed');
  expect(await outputOf(cluster, turn.id)).toContain('is completed.');
});

test('the command line of the inspector lists the agents and gives them work', async () => {
  const program = createRequire(import.meta.url).resolve('@modelcontextprotocol/inspector-cli');
  const inspect = async (...values: string[]): Promise<unknown> => {
    const header = ['--header', `Authorization: Bearer ${key}`];
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        program,
        '--cli',
        `${cluster.url}/mcp`,
        '--transport',
        'http',
        ...values,
        ...header,
        // It finds its own package from there alone.
      ],
      { cwd: dirname(program) },
    );
    return JSON.parse(stdout);
  };
  const listed = z.object({ tools: z.array(z.object({ name: z.string() })) });
  const { tools } = listed.parse(await inspect('--method', 'tools/list'));
  expect(tools.map(({ name }) => name)).toContain('Travel_clerk');
  await cluster.control.setScript({ rules: [{ match: {}, reply: { text: 'Inspected.' } }] });
  const work = ['--tool-arg', 'input=Hi', 'wait_seconds=60'];
  const given = await inspect('--method', 'tools/call', '--tool-name', 'Travel_clerk', ...work);
  expect(resultSchema.parse(given).structuredContent?.output_text).toBe('Inspected.');
});
