import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Cluster } from '../support/cluster.ts';
import { untilTrue } from '../support/until-true.ts';
import { callsOf, callTools, registerServer, textOf } from './support/mcp-cluster.ts';
import { listed, RawServer, type Misbehaviour } from './support/raw-server.ts';

/* Servers that are broken, or mean harm. Whatever they do, the turn goes on, and nothing is done twice. */

let cluster: Cluster;
let raw: RawServer;

beforeAll(async () => {
  cluster = await Cluster.join();
  raw = await RawServer.start();
});
afterAll(async () => {
  raw.stop();
  await cluster.stop();
});

/** Runs a turn that calls these tools of a server that misbehaves so. */
async function against(
  name: string,
  misbehaviour: Misbehaviour,
  tools: readonly (string | [string, Record<string, unknown>])[] = ['lookup'],
  config: Record<string, unknown> = {},
) {
  await registerServer(cluster, name, raw.add(`/${name}`, misbehaviour), { timeout_ms: 1_500, ...config });
  const { id: agentId } = await cluster.createAgent({ tools: [{ type: 'mcp', server: name }] });
  const run = async () => {
    const turn = await callTools(
      cluster,
      agentId,
      tools.map((tool) => {
        const [called, input] = typeof tool === 'string' ? [tool, {}] : tool;
        return { name: `${name}__${called}`, input };
      }),
    );
    expect((await cluster.untilEnded(turn.id)).status).toBe('completed');
    return callsOf(cluster, turn.id);
  };
  return { run, calls: await run() };
}

test('a list whose pages never end is given up', async () => {
  let page = 0;
  const { calls } = await against('pages', {
    'tools/list': ({ reply }) => reply({ tools: [listed(`t${page}`)], nextCursor: `${(page += 1)}` }),
  });
  expect(textOf(calls[0])).toContain('There is no tool');
  expect(raw.countOf('/pages', 'tools/list')).toBeLessThanOrEqual(25);
});

test('a list that is too long, or has a tool that is too large, leaves its good tools', async () => {
  const large = { type: 'object', description: 'x'.repeat(200_000) };
  const invalid = { type: 'object', properties: { a: { type: 'text' } } };
  const { calls } = await against(
    'lists',
    {
      'tools/list': ({ reply }) =>
        reply({
          tools: [
            listed('lookup', {}, { description: 'x'.repeat(2_000_000) }),
            listed('large', {}, { inputSchema: large }),
            listed('invalid', {}, { inputSchema: invalid }),
            ...Array.from({ length: 510 }, (_, n) => listed(`filler${n}`)),
            // What was left out before it makes no room for it: its schema was not checked.
            listed('late', {}, { inputSchema: invalid }),
            ...Array.from({ length: 1_500 }, (_, n) => listed(`more${n}`)),
          ],
        }),
    },
    ['lookup', 'large', 'late'],
  );
  expect(textOf(calls[0])).toBe('done');
  expect(textOf(calls[1])).toContain('There is no tool');
  expect(textOf(calls[2])).toContain('There is no tool');
});

test('tools that are broken, or whose schema the model API would refuse, take no others with them', async () => {
  const odd = { type: 'object', properties: { $top: { type: 'integer' } }, anyOf: [{ required: ['$top'] }] };
  let sent: unknown;
  const { calls } = await against(
    'motley',
    {
      'tools/list': ({ reply }) =>
        reply({
          tools: [
            listed('lookup'),
            listed('broken', {}, { inputSchema: 'none' }),
            listed('invalid', {}, { inputSchema: { type: 'object', properties: { a: { type: 'text' } } } }),
            listed('odd', {}, { inputSchema: odd, outputSchema: [] }),
          ],
        }),
      'tools/call': ({ message, reply }) => {
        if (message.params?.['name'] === 'odd') sent = message.params['arguments'];
        reply({ content: [{ type: 'text', text: 'done' }] });
      },
    },
    ['lookup', 'broken', 'invalid', ['odd', { input: { $top: 3 } }], ['odd', { input: {} }], 'odd'],
  );
  const shown = calls.map(textOf);
  expect([shown[0], shown[3], sent]).toEqual(['done', 'done', { $top: 3 }]);
  expect(shown[1]).toContain('There is no tool');
  expect(shown[2]).toContain('There is no tool');
  expect(shown[4]).toContain('Invalid input');
  expect(shown[5]).toContain('Invalid input');
});

test('a list that is nested too deeply to be read is none', async () => {
  const deep = `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`;
  const { calls } = await against('deep', {
    'tools/list': ({ message, response }) => {
      const tool = `{"name":"lookup","inputSchema":{"type":"object","properties":${deep}}}`;
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(`{"jsonrpc":"2.0","id":${JSON.stringify(message.id)},"result":{"tools":[${tool}]}}`);
    },
  });
  expect(textOf(calls[0])).toContain('There is no tool');
});

test.each([
  [
    'ids',
    'whose ids are those of other requests',
    ({ response }) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id: 987_654, result: { content: [] } }));
    },
  ],
  [
    'comments',
    'that are a stream without an end',
    ({ response }) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const timer = setInterval(() => response.write(': still here\n\n'), 50);
      response.on('close', () => clearInterval(timer));
    },
  ],
  [
    'floods',
    'that are a stream of very many bytes',
    ({ response }) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const line = `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'x'.repeat(100_000) } })}\n\n`;
      const more = (): void =>
        void (
          response.destroyed || (response.write(line) ? setImmediate(more) : response.once('drain', more))
        );
      more();
    },
  ],
  [
    'garbage',
    'that are no JSON',
    ({ response }) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end('{"jsonrpc":');
    },
  ],
] as const satisfies [string, string, NonNullable<Misbehaviour[string]>][])(
  'responses of %s, %s: a read has failed, and a call that acts once is unknown and made once',
  async (name, _what, misbehave) => {
    const { calls } = await against(name, { 'tools/call': misbehave }, ['lookup', 'pay']);
    expect([calls[0]?.status, calls[0]?.is_error, calls[1]?.status]).toEqual(['completed', true, 'unknown']);
    expect(calls[1]?.attempts).toBe(1);
  },
);

test("a tenant calls its own server of a name, and cannot name another's", async () => {
  const theirs = await Cluster.join();
  await registerServer(theirs, 'shared', raw.add('/theirs', {}));
  const tools = [{ type: 'mcp', server: 'shared' }];
  const agent = { name: 'thief', model: 'claude-haiku-5-5', tools };
  expect((await cluster.request('POST', '/v1/agents', agent)).status).toBe(400);
  const { calls } = await against('shared', {});
  expect([textOf(calls[0]), raw.countOf('/shared', 'tools/call')]).toEqual(['done', 1]);
  expect(raw.asked.has('/theirs')).toBe(false);
  await theirs.stop();
});

test('a server whose address has become one that is not allowed is not reached', async () => {
  const inside = await RawServer.start('127.0.0.2');
  const { run, calls } = await against('turncoat', {}, ['lookup', 'pay']);
  expect(calls.map(textOf)).toEqual(['done', 'done']);
  // As after a change of its DNS record, which the API does not see.
  await cluster.database.pool.query(
    `UPDATE mcp_servers SET config = jsonb_set(config, '{url}', to_jsonb($2::text)) WHERE name = 'turncoat' AND tenant_id = $1`,
    [cluster.tenantId, inside.add('/turncoat', {})],
  );
  for (const call of await run()) {
    expect([call.status, call.is_error]).toEqual(['completed', true]);
    expect(textOf(call)).toContain('the call was not sent');
  }
  expect(inside.asked.size).toBe(0);
  inside.stop();
});

test('a redirect to another origin is not followed, least of all to an address of the machine', async () => {
  const elsewhere = raw.add('/elsewhere', {});
  for (const [name, to] of [
    ['metadata', 'http://169.254.169.254/latest/meta-data'],
    ['sideways', elsewhere.replace('127.0.0.1', 'localhost')],
  ] as const) {
    const { calls } = await against(name, {
      'tools/call': ({ response }) => void response.writeHead(307, { location: to }).end(),
    });
    expect([name, calls[0]?.is_error]).toEqual([name, true]);
  }
  expect(raw.asked.has('/elsewhere')).toBe(false);
});

test('a server that speaks no version of the protocol, or asks for a login, fails its calls', async () => {
  const { run } = await against('moody', {
    initialize: ({ reply, response, request }) =>
      request.headers['x-now'] === undefined && raw.countOf('/moody', 'initialize') > 1
        ? void response.writeHead(401, { 'www-authenticate': 'Bearer' }).end()
        : reply({
            protocolVersion: '2025-11-25',
            serverInfo: { name: 'm', version: '1' },
            capabilities: { tools: {} },
          }),
    'tools/call': ({ response }) => void response.writeHead(401, { 'www-authenticate': 'Bearer' }).end(),
  });
  const [call] = await run();
  expect(call?.is_error).toBe(true);
  const { calls } = await against('ancient', {
    initialize: ({ reply }) =>
      reply({ protocolVersion: '1999-01-01', serverInfo: { name: 'a', version: '1' }, capabilities: {} }),
  });
  expect(textOf(calls[0])).toContain('There is no tool');
});

test('a session that the server has ended is begun anew, and its call is made once', async () => {
  let sessions = 0;
  let acted = 0;
  const { run, calls } = await against(
    'sessions',
    {
      initialize: ({ reply, response }) => {
        response.setHeader('mcp-session-id', `s${(sessions += 1)}`);
        const serverInfo = { name: 's', version: '1' };
        reply({ protocolVersion: '2025-11-25', serverInfo, capabilities: { tools: {} } });
      },
      'tools/call': ({ reply, request, response }) => {
        // The session in which the list was asked for has ended.
        if (request.headers['mcp-session-id'] === 's1') return void response.writeHead(404).end();
        acted += 1;
        return reply({ content: [{ type: 'text', text: 'paid' }] });
      },
    },
    ['pay'],
  );
  expect([calls.map(textOf), sessions, acted]).toEqual([['paid'], 2, 1]);
  expect((await run()).map(textOf)).toEqual(['paid']);
  // The list is new enough for the second turn too.
  expect([acted, raw.countOf('/sessions', 'tools/list')]).toEqual([2, 1]);
});

test('a list is asked for again where its server says that it has changed, however often it says so', async () => {
  const { run } = await against(
    'storm',
    {
      'tools/call': ({ response, message }) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        const changed = { jsonrpc: '2.0', method: 'notifications/tools/list_changed' };
        response.write(`data: ${JSON.stringify(changed)}\n\n`.repeat(500));
        const result = {
          jsonrpc: '2.0',
          id: message.id,
          result: { content: [{ type: 'text', text: 'calm' }] },
        };
        response.end(`data: ${JSON.stringify(result)}\n\n`);
      },
    },
    ['lookup'],
    { timeout_ms: 20_000 },
  );
  expect(textOf((await run())[0])).toBe('calm');
  expect(raw.countOf('/storm', 'tools/list')).toBe(2);
});

test('a breaker opens for a server that fails, its calls are told so, and other servers are called', async () => {
  let fails = true;
  const { run } = await against(
    'down',
    {
      'tools/call': ({ response, reply }) =>
        fails ? void response.writeHead(503).end() : reply({ content: [{ type: 'text', text: 'up again' }] }),
    },
    Array.from({ length: 12 }, () => 'lookup'),
  );
  const calls = await run();
  expect(calls.some((call) => textOf(call).includes('circuit_open: down has not responded lately.'))).toBe(
    true,
  );
  expect(calls.every(({ is_error: isError }) => isError)).toBe(true);
  const { calls: others } = await against('well', {});
  expect(textOf(others[0])).toBe('done');
  fails = false;
});

test('a server that hangs holds a bounded number of calls, and none of another server', async () => {
  let open = 0;
  let most = 0;
  let sent = 0;
  const hung = against(
    'hangs',
    {
      'tools/call': ({ response }) => {
        sent += 1;
        most = Math.max(most, (open += 1));
        response.on('close', () => (open -= 1));
      },
    },
    Array.from({ length: 120 }, () => 'pay'),
    { timeout_ms: 5_000 },
  );
  // The simulator has one script at a time: the calls are under way.
  await untilTrue('the server hangs', () => open > 0);
  const { calls: others } = await against('brisk', {});
  expect(textOf(others[0])).toBe('done');
  const { calls } = await hung;
  expect(most).toBeLessThanOrEqual(50);
  expect(calls.some((call) => textOf(call).includes('bulkhead_full: hangs is busy with other calls.'))).toBe(
    true,
  );
  // On a slow machine more of them get their turn, once the first have given up.
  expect(calls.filter(({ status }) => status === 'unknown').length).toBe(sent);
});
