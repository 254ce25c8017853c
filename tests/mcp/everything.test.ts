import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Cluster } from '../support/cluster.ts';
import { EverythingServer } from './support/everything-server.ts';
import { answer, callsOf, callTools, outputOf, registerServer, textOf } from './support/mcp-cluster.ts';

/* The reference server of the protocol, as it is published: protocol 2025-11-25, sessions, and streams. */

let cluster: Cluster;
let everything: EverythingServer;
let agentId: string;

beforeAll(async () => {
  everything = await EverythingServer.start();
  cluster = await Cluster.join();
  await registerServer(cluster, 'all', everything.url, {
    overrides: { 'trigger-elicitation-request': { effect: 'idempotent' } },
  });
  agentId = (await cluster.createAgent({ tools: [{ type: 'mcp', server: 'all' }] })).id;
});
afterAll(async () => {
  everything.stop();
  await cluster.stop();
});

test('the tools of the reference server are declared to the model with names of their server', async () => {
  const turn = await callTools(cluster, agentId, [{ name: 'all__echo', input: { message: 'hello there' } }]);
  const ended = await cluster.untilEnded(turn.id);
  expect([ended.status, await outputOf(cluster, turn.id)]).toEqual(['completed', 'Echo: hello there']);
  const { body } = await cluster.request('GET', '/v1/mcp_servers');
  const [server] = (body as { items: { id: string; tools_hash: string }[] }).items;
  const list = await cluster.request('GET', `/v1/mcp_servers/${server?.id}/tools`);
  const { tools } = list.body as { tools: { name: string }[] };
  expect(tools.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      'echo',
      'get-annotated-message',
      'get-env',
      'get-resource-links',
      'get-resource-reference',
      'get-structured-content',
      'get-sum',
      'get-tiny-image',
      'gzip-file-as-resource',
      'toggle-simulated-logging',
      'toggle-subscriber-updates',
      'trigger-elicitation-request',
      'trigger-long-running-operation',
    ]),
  );
});

test('calls that are made at once, images, structured content and resources become blocks', async () => {
  const turn = await callTools(cluster, agentId, [
    { name: 'all__get-sum', input: { a: 20, b: 22 } },
    { name: 'all__get-tiny-image' },
    { name: 'all__get-structured-content', input: { location: 'New York' } },
    { name: 'all__get-resource-links', input: { count: 2 } },
    { name: 'all__get-resource-reference', input: { resourceType: 'Text', resourceId: 1 } },
  ]);
  expect((await cluster.untilEnded(turn.id)).status).toBe('completed');
  const calls = await callsOf(cluster, turn.id);
  const shown = calls.map(textOf);
  expect(shown[0]).toContain('42');
  expect(shown[1]).toContain('image');
  expect(shown[2]).toContain('"temperature"');
  expect(shown[3]).toContain('[resource ');
  expect(shown[4]).toContain('[resource ');
  expect(calls.map(({ is_error: isError }) => isError)).toEqual([false, false, false, false, false]);
  expect(calls.map(({ effect }) => effect)).toEqual(['read', 'read', 'read', 'read', 'read']);
});

test('an input that does not fit the schema of the server is not sent', async () => {
  const turn = await callTools(cluster, agentId, [{ name: 'all__get-sum', input: { a: 'twenty' } }]);
  await cluster.untilEnded(turn.id);
  expect(await outputOf(cluster, turn.id)).toContain('Invalid input');
});

test('the progress of a long call is shown to those who watch the turn', async () => {
  const input = { duration: 2, steps: 4 };
  const turn = await callTools(cluster, agentId, [{ name: 'all__trigger-long-running-operation', input }]);
  const response = await fetch(`${cluster.url}/v1/turns/${turn.id}/events`, {
    headers: { authorization: `Bearer ${cluster.apiKey}`, accept: 'text/event-stream' },
  });
  const text = await response.text();
  const shown = [...text.matchAll(/event: tool\.progress\ndata: (.*)/g)].map(
    ([, data = '']) => (JSON.parse(data) as { progress: number }).progress,
  );
  expect(shown.length).toBeGreaterThan(0);
  expect(shown.every((share) => share > 0 && share <= 1)).toBe(true);
  expect(await outputOf(cluster, turn.id)).toContain('Long running operation completed');
});

test('a question of the server waits for a person, without a worker, and the call goes on with the answer', async () => {
  const turn = await callTools(cluster, agentId, [{ name: 'all__trigger-elicitation-request' }]);
  const waiting = await cluster.until(turn.id, ['requires_action', 'completed', 'failed']);
  expect(waiting.required_action?.tool_calls).toMatchObject([
    { awaiting: 'answer', question: { answer_schema: { properties: { content: { type: 'object' } } } } },
  ]);
  expect(await answer(cluster, waiting, { action: 'accept' })).toBe(400);
  expect(
    await answer(cluster, waiting, { action: 'accept', content: { name: 'Ada Lovelace', check: true } }),
  ).toBe(202);
  expect((await cluster.untilEnded(turn.id)).status).toBe('completed');
  expect(await outputOf(cluster, turn.id)).toContain('Ada Lovelace');
});

test('a tool that insists on a task of protocol 2025-11-25 is called so, and its task asked for until it ends', async () => {
  const use = { name: 'all__simulate-research-query', input: { topic: 'tea' } };
  const turn = await callTools(cluster, agentId, [use]);
  expect((await cluster.untilEnded(turn.id)).status).toBe('completed');
  expect(await outputOf(cluster, turn.id)).toContain('# Research Report: tea');
});

test('an older server that asks within a call that acts once is told that nobody answers, and the model learns why', async () => {
  await registerServer(cluster, 'plain', everything.url);
  const { id } = await cluster.createAgent({ tools: [{ type: 'mcp', server: 'plain' }] });
  const turn = await callTools(cluster, id, [{ name: 'plain__trigger-elicitation-request' }]);
  expect((await cluster.untilEnded(turn.id)).status).toBe('completed');
  const [call] = await callsOf(cluster, turn.id);
  expect([call?.effect, call?.attempts]).toEqual(['once', 1]);
  expect(textOf(call)).toContain('Nobody could be asked: the call must not be repeated');
});
