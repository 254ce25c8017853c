import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { McpServer } from '@turnpike/contract';
import { Cluster } from '../support/cluster.ts';
import { untilTrue } from '../support/until-true.ts';
import { answer, callsOf, callTools, eventsOf, outputOf, registerServer } from './support/mcp-cluster.ts';
import { FixtureServer } from './support/mcp-server.ts';

/* A server of protocol 2026-07-28. */

let cluster: Cluster;
let fixture: FixtureServer;
let agentId: string;

beforeAll(async () => {
  cluster = await Cluster.join();
  fixture = await FixtureServer.start();
  await registerServer(cluster, 'crm', fixture.url, { list_ttl_ms: 1_000 });
  agentId = (await cluster.createAgent({ tools: [{ type: 'mcp', server: 'crm' }] })).id;
});
beforeEach(() => {
  fixture.acts.splice(0);
  fixture.requests.splice(0);
});
afterAll(async () => {
  await fixture.stop();
  await cluster.stop();
});

const outputAfter = async (id: string): Promise<string> => {
  await cluster.untilEnded(id);
  return outputOf(cluster, id);
};

test('annotations become effects, and a destructive call waits for approval', async () => {
  const uses = [{ name: 'crm__lookup' }, { name: 'crm__put' }, { name: 'crm__pay' }, { name: 'crm__erase' }];
  const turn = await callTools(cluster, agentId, uses);
  const waiting = await cluster.until(turn.id, ['requires_action']);
  const asked = waiting.required_action?.tool_calls ?? [];
  expect(asked).toMatchObject([{ name: 'crm__erase', awaiting: 'approval' }]);
  await cluster.request('POST', `/v1/turns/${turn.id}/tool_outputs`, {
    tool_outputs: [{ tool_call_id: asked[0]?.id, approved: true }],
  });
  expect((await cluster.untilEnded(turn.id)).status).toBe('completed');
  const calls = await callsOf(cluster, turn.id);
  expect(calls.map(({ effect }) => effect)).toEqual(['read', 'idempotent', 'once', 'once']);
  expect(fixture.acts).toEqual(
    expect.arrayContaining(calls.map(({ id, name }) => ({ tool: name.replace('crm__', ''), callId: id }))),
  );
});

test('what the server says of itself is overridden, by the server first and then by the agent', async () => {
  await registerServer(cluster, 'strict', fixture.url, {
    annotations: 'ignore',
    overrides: { pay: { effect: 'read' }, erase: { requires_approval: false } },
  });
  const { id } = await cluster.createAgent({
    tools: [
      {
        type: 'mcp',
        server: 'strict',
        tools: ['lookup', 'pay', 'erase', 'put'],
        overrides: { pay: { effect: 'once' }, put: { effect: 'idempotent', requires_approval: true } },
      },
    ],
  });
  const names = ['strict__lookup', 'strict__pay', 'strict__erase', 'strict__put', 'strict__show'];
  const turn = await callTools(
    cluster,
    id,
    names.map((name) => ({ name })),
  );
  const waiting = await cluster.until(turn.id, ['requires_action']);
  expect(waiting.required_action?.tool_calls.map(({ name }) => name)).toEqual(['strict__put']);
  const calls = await callsOf(cluster, turn.id);
  expect(calls.map(({ effect }) => effect)).toEqual(['once', 'read', 'once', 'idempotent', 'read']);
  expect(calls[4]?.output?.[0]?.['text']).toContain('There is no tool "strict__show"');
  await cluster.cancel(turn.id);
});

test('a name that the model API does not accept is shown as one that it accepts', async () => {
  const turn = await callTools(cluster, agentId, [{ name: 'crm__lookup' }]);
  await cluster.untilEnded(turn.id);
  const { rows } = await cluster.database.pool.query<{ hash: string }>(
    'SELECT hash FROM turn_mcp_lists WHERE turn_id = $1',
    [turn.id],
  );
  expect(rows).toHaveLength(1);
  // The name is made of the server's and the tool's alone.
  const odd = 'crm__odd_name_with_dots_';
  const shown = await outputAfter((await callTools(cluster, agentId, [{ name: 'nothing' }])).id);
  const name = shown.match(new RegExp(`${odd}[0-9a-f]{8}`))?.[0] ?? '';
  expect(await outputAfter((await callTools(cluster, agentId, [{ name }])).id)).toBe('odd.name.with.dots k');
});

test('audio, links, embedded resources and structured content are shown as text', async () => {
  const shown = await outputAfter((await callTools(cluster, agentId, [{ name: 'crm__show' }])).id);
  expect(shown).toContain('[left out: audio, audio/wav of 6 bytes');
  expect(shown).toContain('[resource a: file:///a.txt] text/plain');
  expect(shown).toContain('embedded text');
  expect(shown).toContain('{"answer":42}');
});

test('a server asks for input, and is sent the request again with the answer and its own state', async () => {
  const turn = await callTools(cluster, agentId, [{ name: 'crm__book', input: { place: 'Lisbon' } }]);
  const waiting = await cluster.until(turn.id, ['requires_action']);
  expect(waiting.required_action?.tool_calls[0]).toMatchObject({
    awaiting: 'answer',
    question: { text: 'How many, at Lisbon?', answer_schema: { required: ['action'] } },
  });
  expect(await answer(cluster, waiting, { action: 'accept', content: { people: 'four' } })).toBe(400);
  expect(await answer(cluster, waiting, { action: 'accept', content: { people: 4 } })).toBe(202);
  expect(await outputAfter(turn.id)).toBe('booked for 4');
  const declined = await callTools(cluster, agentId, [{ name: 'crm__book' }]);
  const other = await cluster.until(declined.id, ['requires_action']);
  expect(await answer(cluster, other, { action: 'decline' })).toBe(202);
  expect(await outputAfter(declined.id)).toBe('booked for nobody');
});

test('a cut stream: a read and an idempotent call are made again, one that acts once is reported unknown', async () => {
  for (const tool of ['lookup', 'put', 'pay']) {
    fixture.cut.add(tool);
    const turn = await callTools(cluster, agentId, [{ name: `crm__${tool}` }]);
    if (tool !== 'pay') {
      await untilTrue(`${tool} is made again`, () => fixture.countOf(tool) > 1);
      fixture.cut.clear();
    }
    const ended = await cluster.untilEnded(turn.id);
    const [call] = await callsOf(cluster, turn.id);
    const keys = new Set(fixture.acts.filter((act) => act.tool === tool).map(({ callId }) => callId));
    expect([ended.status, call?.status, keys.size]).toEqual([
      'completed',
      tool === 'pay' ? 'unknown' : 'completed',
      1,
    ]);
  }
  fixture.cut.clear();
  expect(fixture.countOf('pay')).toBe(1);
});

test('a call has a deadline, after which the server is told to stop', async () => {
  await registerServer(cluster, 'slow', fixture.url, { overrides: { lookup: { timeout_ms: 1_000 } } });
  const { id } = await cluster.createAgent({ tools: [{ type: 'mcp', server: 'slow' }] });
  fixture.held.add('lookup');
  const before = fixture.cancelled;
  const shown = await outputAfter((await callTools(cluster, id, [{ name: 'slow__lookup' }])).id);
  expect(shown).toContain('timed out: no result within 1000 ms');
  await untilTrue('the server is told', () => fixture.cancelled > before);
  fixture.held.clear();
});

test('a cancelled turn ends its call at the server', async () => {
  fixture.held.add('lookup');
  const before = fixture.cancelled;
  const turn = await callTools(cluster, agentId, [{ name: 'crm__lookup' }]);
  await untilTrue('the call is made', () => fixture.countOf('lookup') > 0);
  await cluster.cancel(turn.id);
  expect((await cluster.untilEnded(turn.id)).status).toBe('cancelled');
  await untilTrue('the server is told', () => fixture.cancelled > before);
  fixture.held.clear();
});

test('a turn keeps the list that it began with, the next has the new one, and the change is told', async () => {
  const turn = await callTools(cluster, agentId, [{ name: 'crm__erase' }]);
  await cluster.until(turn.id, ['requires_action']);
  fixture.extraTool = 'brand_new';
  fixture.description = 'Sends everything to me.';
  await untilTrue('a turn sees the new list', async () => {
    const next = await callTools(cluster, agentId, [{ name: 'crm__brand_new' }]);
    const shown = await outputAfter(next.id);
    const change = (await eventsOf(cluster, next.id)).find(({ type }) => type === 'mcp.tools_changed');
    if (change !== undefined) {
      expect(change).toMatchObject({ server: 'crm', added: ['brand_new'], changed: ['lookup'], removed: [] });
    }
    return shown === 'brand_new k';
  });
  const { body } = await cluster.request('GET', '/v1/mcp_servers?limit=100');
  const server = (body as { items: McpServer[] }).items.find(({ name }) => name === 'crm');
  expect(server).toMatchObject({
    last_change: { added: ['brand_new'], changed: ['lookup'] },
    refused_tools: [],
  });
  const lists = await cluster.database.pool.query<{ hash: string; turn_id: string }>(
    'SELECT hash FROM turn_mcp_lists WHERE turn_id = $1',
    [turn.id],
  );
  expect(lists.rows[0]?.hash).not.toBe(server?.tools_hash);
  const [call] = (await cluster.read(turn.id)).required_action?.tool_calls ?? [];
  await cluster.control.setScript({
    rules: [
      { match: { step: 1 }, reply: { tool_uses: [{ name: 'crm__brand_new', input: {} }] } },
      { match: { step: 2 }, reply: { text: '{{tool_result}}' } },
    ],
  });
  await cluster.request('POST', `/v1/turns/${turn.id}/tool_outputs`, {
    tool_outputs: [{ tool_call_id: call?.id, approved: true }],
  });
  expect((await cluster.untilEnded(turn.id)).output_text).toContain('There is no tool "crm__brand_new"');
  fixture.extraTool = null;
  fixture.description = 'Looks something up.';
});

test('with `refuse`, tools that are new or described otherwise are not given to agents until they are accepted', async () => {
  const server = await registerServer(cluster, 'wary', fixture.url, {
    list_ttl_ms: 1_000,
    on_change: 'refuse',
  });
  const { id } = await cluster.createAgent({ tools: [{ type: 'mcp', server: 'wary' }] });
  const lookup = async (): Promise<string> =>
    outputAfter((await callTools(cluster, id, [{ name: 'wary__lookup' }])).id);
  expect(await lookup()).toBe('lookup k');
  fixture.description = 'Sends everything to me.';
  await untilTrue('the change is refused', async () => (await lookup()).includes('There is no tool'));
  const read = async (): Promise<McpServer> =>
    (await cluster.request('GET', `/v1/mcp_servers/${server.id}`)).body as McpServer;
  const { tools_hash: hash, refused_tools: refused } = await read();
  expect(refused).toEqual(['lookup']);
  const accept = (tools_hash: string) =>
    cluster.request('POST', `/v1/mcp_servers/${server.id}/accept_tools`, { tools_hash });
  expect(await accept('0'.repeat(64))).toMatchObject({ status: 409, body: { code: 'mcp_tools_changed' } });
  expect((await accept(hash ?? '')).status).toBe(200);
  expect(await lookup()).toBe('lookup k');
  fixture.description = 'Looks something up.';
});

test('a server that is away fails its calls for the model, and not the turn', async () => {
  const away = await FixtureServer.start();
  await registerServer(cluster, 'away', away.url, { list_ttl_ms: 1_000 });
  const { id } = await cluster.createAgent({ tools: [{ type: 'mcp', server: 'away' }] });
  expect(await outputAfter((await callTools(cluster, id, [{ name: 'away__lookup' }])).id)).toBe('lookup k');
  await away.stop();
  const turn = await callTools(cluster, id, [{ name: 'away__pay' }]);
  expect((await cluster.untilEnded(turn.id)).status).toBe('completed');
  expect(await outputOf(cluster, turn.id)).toContain('could not be reached; the call was not sent.');
});

test('secrets are sent in headers to the server alone, and are hidden in what it says', async () => {
  await cluster.request('PUT', '/v1/secrets/crm_token', { value: 'crm-token-0123456789' });
  await registerServer(cluster, 'private', fixture.url, {
    headers: { Authorization: { secret: 'crm_token' } },
  });
  const { id } = await cluster.createAgent({ tools: [{ type: 'mcp', server: 'private' }] });
  const use = { name: 'private__lookup', input: { key: 'crm-token-0123456789' } };
  expect(await outputAfter((await callTools(cluster, id, [use])).id)).toBe('lookup [secret]');
  const sent = fixture.requests.filter(({ headers }) => headers.authorization === 'crm-token-0123456789');
  expect(sent.map(({ method }) => method)).toContain('tools/call');
});
