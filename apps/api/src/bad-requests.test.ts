import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { idSchema, newId, PROBLEMS, problemSchema, type ProblemCode } from '@turnpike/contract';
import supertest, { type Test } from 'supertest';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { MAX_BODY_BYTES, startTestApi, type TestApi, type Client } from './testing/test-api.ts';

interface Things {
  agentId: string;
  sessionId: string;
  turnId: string;
}

let api: TestApi;
let ours: Things;
let theirs: Things;
let toolInUse: string;
let serverInUse: string;
let sessionOfDeletedAgent: string;

beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
  ours = await makeThings(api.client);
  theirs = await makeThings(await api.addTenant());
  const gone = await makeThings(api.client);
  await api.client.http.delete(`/v1/agents/${gone.agentId}`).expect(204);
  sessionOfDeletedAgent = gone.sessionId;
  toolInUse = (await post('/v1/tools', TOOL).expect(201)).body.id;
  await agent({ tools: [{ type: 'http', name: TOOL.name }] }).expect(201);
  const server = { name: 'crm', url: 'https://mcp.example/' };
  serverInUse = (await post('/v1/mcp_servers', server).expect(201)).body.id;
  await agent({ tools: [{ type: 'mcp', server: server.name }] }).expect(201);
  await startTurn('first').set('Idempotency-Key', 'used-before').expect(202);
  await api.dispatcher.settle();
});

afterAll(() => api.stop());

async function makeThings({ http }: Client): Promise<Things> {
  const agent = await http.post('/v1/agents').send({ name: 'a', model: 'm' }).expect(201);
  const turn = await http.post('/v1/turns').send({ agent_id: agent.body.id, input: 'Hi' }).expect(202);
  return { agentId: agent.body.id, sessionId: turn.body.session_id, turnId: turn.body.id };
}

const TOOL = {
  name: 'weather',
  description: 'Tells the weather.',
  input_schema: { type: 'object' },
  url: 'https://tools.example/weather',
};
const toolWhose = (more: object): Test => post('/v1/tools', { ...TOOL, name: 'refused', ...more });
const get = (path: string): Test => api.client.http.get(path);
const post = (path: string, body?: object | string): Test => {
  const request = api.client.http.post(path).set('Content-Type', 'application/json');
  return body === undefined ? request : request.send(body);
};
const anonymous = (): Test => supertest(api.url).post('/v1/agents').send({ name: 'a', model: 'm' });
const startTurn = (input: unknown, more: object = {}): Test =>
  post('/v1/turns', { agent_id: ours.agentId, input, ...more });
/** Fields as JSON text, for what JavaScript objects cannot express. */
const startTurnWith = (fields: string): Test =>
  post('/v1/turns', `{"agent_id":"${ours.agentId}","input":"Hi",${fields}}`);
const typed = (type: string): Test =>
  api.client.http.post('/v1/agents').set('Content-Type', type).send('name=a&model=m');
const keyed = (key: string): Test => startTurn('Hi').set('Idempotency-Key', key);
const zipped = (body: Buffer): Test =>
  post('/v1/agents').set('Content-Encoding', 'gzip').serialize(asItIs).send(body);
const asItIs = ((body: Buffer) => body) as unknown as (body: unknown) => string;
const agent = (more: object): Test => post('/v1/agents', { name: 'a', model: 'm', ...more });

const sendBytes = (body: Buffer): Test => post('/v1/agents').serialize(asItIs).send(body);
const agentNamed = (bytes: number[]): Buffer =>
  Buffer.concat([Buffer.from('{"model":"m","name":"a'), Buffer.from(bytes), Buffer.from('"}')]);
const nested = (levels: number): string => '{"not":'.repeat(levels) + '{}' + '}'.repeat(levels);
const tool = (schema: string, more = ''): Test =>
  post(
    '/v1/tools',
    `{"name":"t","description":"d","url":"https://a.invalid/","input_schema":${schema}${more}}`,
  );
const toolWith = (property: string): Test =>
  tool(JSON.stringify({ type: 'object', properties: { [property]: { type: 'string' } } }));
const thinking = { thinking: { type: 'enabled', budget_tokens: 2_048 }, max_tokens: 8_000 };
const inTwoDays = (offset: string): string =>
  new Date(Date.now() + 2 * 86_400_000).toISOString().replace('Z', offset);

/** What is sent, and how it is refused. */
const REFUSED: Record<ProblemCode, Record<string, () => Test>> = {
  unauthenticated: {
    'no key': anonymous,
    'an unknown key': () => anonymous().set('Authorization', 'Bearer tp_live_nobody'),
    'an unknown key, as x-api-key': () => anonymous().set('x-api-key', 'tp_live_nobody'),
    'an empty key': () => anonymous().set('Authorization', 'Bearer '),
    'an empty x-api-key': () => anonymous().set('x-api-key', ''),
    'a key of another scheme': () => anonymous().set('Authorization', `Basic ${api.client.apiKey}`),
    'two keys in one': () => anonymous().set('Authorization', `Bearer ${api.client.apiKey} x`),
    'a key in the address': () => supertest(api.url).get(`/v1/agents?api_key=${api.client.apiKey}`),
    'no key, with a body that is broken': () => post('/v1/agents', '{').unset('Authorization'),
  },
  invalid_json: {
    'half an object': () => post('/v1/agents', '{"name":'),
    'a string': () => post('/v1/agents', '"name"'),
    null: () => post('/v1/agents', 'null'),
    'a NUL byte within a string': () => post('/v1/agents', '{"name":"a\0","model":"m"}'),
    'two objects': () => post('/v1/agents', '{}{}'),
    'a byte that is no UTF-8': () => sendBytes(agentNamed([0xff])),
    'a character that is cut off': () => sendBytes(agentNamed([0xe2, 0x82])),
    'half a surrogate pair in bytes': () => sendBytes(agentNamed([0xed, 0xa0, 0x80])),
    'a NUL written with two bytes': () => sendBytes(agentNamed([0xc0, 0x80])),
    'Latin 1 that does not say so': () => sendBytes(Buffer.from('{"name":"ü","model":"m"}', 'latin1')),
  },
  invalid_request: {
    'no body': () => post('/v1/agents'),
    'an array': () => post('/v1/agents', []),
    'nothing that is needed': () => post('/v1/agents', {}),
    'an array that nests two hundred thousand times': () =>
      post('/v1/agents', '['.repeat(2e5) + ']'.repeat(2e5)),
    'a schema of a tool that nests a hundred thousand times': () =>
      tool(`{"type":"object","not":${nested(1e5)}}`),
    'a schema of a tool that nests a little too deeply': () => tool(`{"type":"object","not":${nested(99)}}`),
    'a schema of a tool in an update that nests deeply': () =>
      post(`/v1/tools/${newId('tool')}`, `{"input_schema":${nested(1e5)}}`),
    'more values than a body may hold': () => startTurn(Array.from({ length: 250_000 }, () => 1)),
    'a label named __proto__': () => startTurnWith('"metadata":{"__proto__":"x"}'),
    'a label named __proto__, written with an escape': () =>
      startTurnWith(String.raw`"metadata":{"__pr\u006fto__":"x"}`),
    'a label named __proto__ of a session': () =>
      post(`/v1/sessions/${ours.sessionId}`, '{"metadata":{"__proto__":"x"}}'),
    'a header of a tool named __proto__': () => tool('{"type":"object"}', ',"headers":{"__proto__":"x"}'),
    'a field named __proto__ deep in a schema': () =>
      tool('{"type":"object","properties":{"a":{"default":{"__proto__":{"x":1}}}}}'),
    'a number beyond all numbers deep in a schema': () =>
      tool('{"type":"object","properties":{"a":{"maximum":1e400}}}'),
    'a NUL character in a query': () => get('/v1/deliveries?type=%00'),
    'a NUL character in the query of a list of an endpoint': () =>
      get(`/v1/webhook_endpoints/${newId('webhookEndpoint')}/deliveries?type=a%00`),
    'a NUL character in the model of a report': () => get('/v1/usage?model=%00'),
    'a query of bytes that are no UTF-8': () => get('/v1/usage?model=%ff'),
    'a query with half a surrogate pair': () => get('/v1/usage?model=%ed%a0%80'),
    'a query with a percent sign that encodes nothing': () => get('/v1/usage?model=50%'),
    'acts since the year 0': () => get('/v1/audit_entries?from=0000-01-01T00:00:00Z'),
    'acts until the year 0': () => get('/v1/audit_entries?to=0000-01-01T00:00:00Z'),
    'acts until a time that is past the year 9999 in UTC': () =>
      get(`/v1/audit_entries?to=${encodeURIComponent('9999-12-31T23:59:59-23:59')}`),
    'a report up to the first day of all': () => get('/v1/usage?to=0001-01-01'),
    'a report from the year 0': () => get('/v1/usage?from=0000-01-01&to=0000-01-02'),
    'a time with a leap second': () => startTurn('Hi', { run_at: '2026-12-31T23:59:60Z' }),
    'a time with an offset of a day': () => startTurn('Hi', { run_at: inTwoDays('+24:00') }),
    'deliveries since the year 0': () =>
      post(`/v1/webhook_endpoints/${newId('webhookEndpoint')}/redeliver`, { since: '0000-01-01T00:00:00Z' }),
    'a stop sequence of white space': () => agent({ stop_sequences: ['\n\n'] }),
    'a temperature beside thinking': () => agent({ temperature: 0.2, ...thinking }),
    'thinking of less than 1,024 tokens': () =>
      agent({ thinking: { type: 'enabled', budget_tokens: 1_023 } }),
    'thinking of as much as a response may have': () => agent({ ...thinking, max_tokens: 2_048 }),
    'a tool of the client that the model does not take': () =>
      agent({
        tools: [
          { type: 'client', name: 'a', description: 'b', input_schema: { type: 'object', oneOf: [{}] } },
        ],
      }),
    'a tool with a union at the top': () => tool('{"type":"object","anyOf":[{"required":["a"]}]}'),
    'a tool with allOf at the top': () => tool('{"type":"object","allOf":[]}'),
    'a tool with a property that begins with a dollar sign': () => toolWith('$filter'),
    'a tool with a property with a space': () => toolWith('customer id'),
    'a tool with a property with brackets': () => toolWith('filter[name]'),
    'a tool with a property without a name': () => toolWith(''),
    'a tool with a property of 65 characters': () => toolWith('x'.repeat(65)),
    'an unknown field': () => startTurn('Hi', { colour: 'red' }),
    'a priority beyond all others': () => startTurn('Hi', { priority: 101 }),
    'a priority between two': () => startTurn('Hi', { priority: 0.5 }),
    'a time that is none': () => startTurn('Hi', { run_at: 'tomorrow' }),
    'a time without a zone': () => startTurn('Hi', { run_at: '2026-11-25T12:00:00' }),
    'a time beyond thirty days': () =>
      startTurn('Hi', { run_at: new Date(Date.now() + 31 * 86_400_000).toISOString() }),
    'a time of another age': () => startTurn('Hi', { run_at: '0000-01-01T00:00:00Z' }),
    'a time for what joins a turn': () =>
      post(`/v1/sessions/${ours.sessionId}/turns`, {
        input: 'Hi',
        multitask_strategy: 'steer',
        run_at: new Date().toISOString(),
      }),
    'an unknown field deep inside': () => startTurn([{ type: 'text', text: 'Hi', cache: true }]),
    'a field named __proto__': () => startTurnWith('"__proto__":{"input":"x"}'),
    'an input that is a number': () => startTurn(1),
    'an input that is empty': () => startTurn(''),
    'an input of white space': () => startTurn(' \n\t'),
    'a block of white space': () => startTurn([{ type: 'text', text: '\n' }]),
    'an input of no blocks': () => startTurn([]),
    'an input of a block that only the service writes': () =>
      startTurn([{ type: 'tool_result', tool_use_id: 'x', content: 'y' }]),
    'an agent id that is none': () => post('/v1/turns', { agent_id: "' OR 1=1 --", input: 'Hi' }),
    'an agent id that is a list': () => post('/v1/turns', { agent_id: [ours.agentId], input: 'Hi' }),
    'an agent id of another kind': () => post('/v1/turns', { agent_id: ours.turnId, input: 'Hi' }),
    'a deadline beyond all numbers': () => startTurnWith('"deadline_ms":1e999'),
    'a deadline in the past': () => startTurn('Hi', { deadline_ms: -1 }),
    'a label that is no text': () => startTurn('Hi', { metadata: { a: 1 } }),
    'seventeen labels': () =>
      startTurn('Hi', { metadata: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`k${n}`, ''])) }),
    'a NUL character': () => startTurn('a\0b'),
    'a NUL character in the name of a label': () => startTurn('Hi', { metadata: { 'a\0': 'b' } }),
    'a NUL character after a backslash': () => startTurn('a\\\0b'),
    'half a surrogate pair': () => startTurn('a\ud800b'),
    'the other half of a surrogate pair': () => startTurn([{ type: 'text', text: '\udc00' }]),
    'half a surrogate pair in the name of a label': () => startTurn('Hi', { metadata: { '\udfff': 'b' } }),
    'half a surrogate pair in the name of an agent': () => agent({ name: 'a\udbff' }),
    'two tools of one name': () =>
      agent({ tools: Array.from({ length: 2 }, () => ({ type: 'builtin', name: 't' })) }),
    'a tool of an unknown kind': () => agent({ tools: [{ type: 'shell', name: 't' }] }),
    'more thought than response': () => agent({ thinking: { type: 'enabled', budget_tokens: 9_999 } }),
    'a body where there is none': () => api.client.http.delete(`/v1/sessions/${ours.sessionId}`).send({}),
    'a body that is not what it says about its compression': () => zipped(Buffer.from('no gzip')),
    'an unknown query parameter': () => get('/v1/turns?colour=red'),
    'an unknown query parameter of a POST': () => post('/v1/agents?dry_run=1', { name: 'a', model: 'm' }),
    'a query parameter named __proto__': () => get('/v1/turns?__proto__=1'),
    'a query parameter given twice': () => get('/v1/turns?limit=1&limit=2'),
    'a filter given twice': () => get(`/v1/turns?agent_id=${ours.agentId}&agent_id=${ours.agentId}`),
    'a filter in brackets': () => get('/v1/turns?status[]=queued'),
    'an unknown status': () => get('/v1/turns?status=done'),
    'a filter by what is no id': () => get('/v1/turns?session_id=%00'),
    'no items a page': () => get('/v1/agents?limit=0'),
    'too many items a page': () => get('/v1/agents?limit=101'),
    'half an item a page': () => get('/v1/agents?limit=1.5'),
    'a page of words': () => get('/v1/agents?limit=ten'),
    'a page of nothing': () => get('/v1/agents?limit='),
    'a strategy that is none': () =>
      post(`/v1/sessions/${ours.sessionId}/turns`, { input: 'Hi', multitask_strategy: 'shout' }),
    'a strategy where there is no session yet': () => startTurn('Hi', { multitask_strategy: 'reject' }),
    'a secret of nothing': () => api.client.http.put('/v1/secrets/name').send({ value: '' }),
    'a secret that is a number': () => api.client.http.put('/v1/secrets/name').send({ value: 1 }),
    'a webhook without TLS': () => post('/v1/webhook_endpoints', { url: 'http://example.com/' }),
    'a webhook to a private address': () => post('/v1/webhook_endpoints', { url: 'https://10.0.0.1/' }),
    'an agent with a builtin tool that is not here': () =>
      agent({ tools: [{ type: 'builtin', name: 'current_tim' }] }),
    'an agent with an HTTP tool that is not here': () =>
      agent({ tools: [{ type: 'http', name: 'nowhere' }] }),
    'an agent that loses its model': () => post(`/v1/agents/${ours.agentId}`, { model: null }),
    'an agent that loses its name': () => post(`/v1/agents/${ours.agentId}`, { name: null }),
    'an agent at version nought': () => get(`/v1/agents/${ours.agentId}?version=0`),
    'an agent at a version that is no number': () => get(`/v1/agents/${ours.agentId}?version=newest`),
    'an agent at a version beyond all numbers': () => get(`/v1/agents/${ours.agentId}?version=1e300`),
    'a turn at a version that is not there': () => startTurn('Hi', { agent_version: 99 }),
    'a turn of a session at a version that is not there': () =>
      post(`/v1/sessions/${ours.sessionId}/turns`, { input: 'Hi', agent_version: 99 }),
    'a turn that interrupts, at a version that is not there': () =>
      post(`/v1/sessions/${ours.sessionId}/turns`, {
        input: 'Hi',
        agent_version: 99,
        multitask_strategy: 'interrupt',
      }),
    'a version for what joins a turn': () =>
      post(`/v1/sessions/${ours.sessionId}/turns`, {
        input: 'Hi',
        agent_version: 1,
        multitask_strategy: 'steer',
      }),
    'a tool without TLS': () => toolWhose({ url: 'http://example.com/' }),
    'a tool on this machine': () => toolWhose({ url: 'http://127.0.0.2/' }),
    'a tool at a private address': () => toolWhose({ url: 'https://192.168.0.1/' }),
    'a tool that is asked at a private address': () =>
      toolWhose({ effect: 'reconcile', reconcile_url: 'https://[::ffff:10.0.0.1]/' }),
    'a tool that moves to metadata': () =>
      post(`/v1/tools/${toolInUse}`, { ...TOOL, name: undefined, url: 'https://169.254.169.254/' }),
    'a webhook to metadata': () => startTurn('Hi', { webhook_url: 'https://169.254.169.254/' }),
    'no tool outputs': () => post(`/v1/turns/${ours.turnId}/tool_outputs`, { tool_outputs: [] }),
    'a wait that is too long': () => get(`/v1/turns/${ours.turnId}?wait=61`),
    'a wait that is negative': () => get(`/v1/turns/${ours.turnId}?wait=-1`),
    'a wait given twice': () => get(`/v1/turns/${ours.turnId}?wait=1&wait=1`),
    'a path that cannot be decoded': () => get('/v1/turns/%E0%A4%A'),
    'a path of bytes that are no text': () => get('/v1/agents/%ff%fe'),
  },
  invalid_cursor: {
    'agents after no id': () => get('/v1/agents?cursor=x'),
    'agents after an id of another kind': () => get(`/v1/agents?cursor=${ours.turnId}`),
    'versions after a word': () => get(`/v1/agents/${ours.agentId}/versions?cursor=x`),
    'sessions after no id': () => get('/v1/sessions?cursor='),
    'turns after no id': () => get('/v1/turns?cursor=%00'),
    'turns after two': () => get(`/v1/turns?cursor=${ours.turnId}&cursor=${ours.turnId}`),
    'messages after an id': () => get(`/v1/sessions/${ours.sessionId}/messages?cursor=${ours.turnId}`),
    'messages after one number': () => get(`/v1/sessions/${ours.sessionId}/messages?cursor=${cursorOf('1')}`),
    'messages after too large a number': () =>
      get(`/v1/sessions/${ours.sessionId}/messages?cursor=${cursorOf('9999999999.1')}`),
    'messages after no number': () =>
      get(`/v1/sessions/${ours.sessionId}/messages?cursor=${cursorOf('-1.x')}`),
    'steps after nothing': () => get(`/v1/turns/${ours.turnId}/steps?cursor=`),
    'steps after two numbers': () => get(`/v1/turns/${ours.turnId}/steps?cursor=${cursorOf('0.0')}`),
    'events after a word': () => get(`/v1/turns/${ours.turnId}/events?after=x`),
    'events after nothing': () => get(`/v1/turns/${ours.turnId}/events?after=`),
    'events after one that is not there yet': () => get(`/v1/turns/${ours.turnId}/events?after=99`),
    'events after less than nothing': () => get(`/v1/turns/${ours.turnId}/events`).set('Last-Event-ID', '-1'),
    "a session's events after one number": () => get(`/v1/sessions/${ours.sessionId}/events?after=1`),
    "a session's events after a turn that is not there": () =>
      get(`/v1/sessions/${ours.sessionId}/events?after=7.1`),
    'steps after very much': () => get(`/v1/turns/${ours.turnId}/steps?cursor=${'A'.repeat(101)}`),
  },
  invalid_idempotency_key: {
    'an empty key': () => keyed(''),
    'a key of quotes alone': () => keyed('""'),
    'a key of 256 characters': () => keyed('k'.repeat(256)),
    'a key with a space': () => keyed('a b'),
    'a key beyond ASCII': () => keyed('schlüssel'),
    'two keys': () => keyed('a, b'),
  },
  not_found: {
    'an unknown path': () => get('/v1/nothing'),
    'a path with a slash too many': () => get('/v1/agents/'),
    'a path in capitals': () => get('/V1/agents'),
    'an agent that is not there': () => post('/v1/turns', { agent_id: newId('agent'), input: 'Hi' }),
    "another tenant's agent": () => post('/v1/turns', { agent_id: theirs.agentId, input: 'Hi' }),
    "a session of another tenant's agent": () => post('/v1/sessions', { agent_id: theirs.agentId }),
    "another tenant's session": () => post(`/v1/sessions/${theirs.sessionId}/turns`, { input: 'Hi' }),
    'a session that is not there': () => post(`/v1/sessions/${newId('session')}/turns`, { input: 'Hi' }),
    'a turn to cancel that is not there': () => post(`/v1/turns/${newId('turn')}/cancel`),
    "another tenant's turn to cancel": () => post(`/v1/turns/${theirs.turnId}/cancel`),
    "an output for another tenant's turn": () =>
      post(`/v1/turns/${theirs.turnId}/tool_outputs`, {
        tool_outputs: [{ tool_call_id: newId('toolCall'), output: 'x' }],
      }),
    "another tenant's events": () => get(`/v1/turns/${theirs.turnId}/events`),
    "the events of another tenant's session": () => get(`/v1/sessions/${theirs.sessionId}/events`),
    'a secret that is not there': () => get('/v1/secrets/nothing'),
    'a secret of a name that cannot be': () => get('/v1/secrets/a%20b'),
    'a version that is not there': () => get(`/v1/agents/${ours.agentId}?version=99`),
    'a version to restore that is not there': () => post(`/v1/agents/${ours.agentId}/versions/99/restore`),
    'a version to restore that is no number': () => post(`/v1/agents/${ours.agentId}/versions/first/restore`),
    "a version of another tenant's agent": () => get(`/v1/agents/${theirs.agentId}?version=1`),
    "the versions of another tenant's agent": () => get(`/v1/agents/${theirs.agentId}/versions`),
    'a tool to delete that is not there': () => api.client.http.delete(`/v1/tools/${newId('tool')}`),
    'an id that is none': () => get('/v1/turns/turn_1'),
    'an id in capitals': () => get(`/v1/turns/${ours.turnId.toUpperCase()}`),
    'an id of another kind': () => get(`/v1/turns/${ours.sessionId}`),
    'an id of NUL': () => get('/v1/turns/%00'),
    'an id of NUL where clients choose ids': () => get('/ai/chat/%00/stream'),
    'an id that climbs': () => get('/v1/turns/..%2f..%2fetc%2fpasswd'),
    'an id that is SQL': () => get(`/v1/turns/${encodeURIComponent("' OR '1'='1")}`),
    'an id with more behind it': () => get(`/v1/turns/${ours.turnId}%0a`),
  },
  method_not_allowed: {
    'PUT to agents': () => api.client.http.put('/v1/agents').send({}),
    'PATCH to an agent': () => api.client.http.patch(`/v1/agents/${ours.agentId}`).send({}),
    'DELETE of a turn': () => api.client.http.delete(`/v1/turns/${ours.turnId}`),
    'DELETE of all agents': () => api.client.http.delete('/v1/agents'),
    'GET where turns are posted': () => get(`/v1/sessions/${ours.sessionId}/turns`),
    'OPTIONS of turns': () => api.client.http.options('/v1/turns'),
  },
  override_not_allowed: {
    'a model of its own': () => startTurnWith('"overrides":{"model":"other"}'),
    'no temperature': () => startTurnWith('"overrides":{"temperature":null}'),
  },
  agent_deleted: {
    'a turn for a deleted agent': () => post(`/v1/sessions/${sessionOfDeletedAgent}/turns`, { input: 'Hi' }),
  },
  agent_changed: {
    'an update of a version that is not the newest': () =>
      post(`/v1/agents/${ours.agentId}`, { name: 'b', if_version: 2 }),
  },
  tool_in_use: {
    'a tool that an agent names': () => api.client.http.delete(`/v1/tools/${toolInUse}`),
    'a tool that an agent names, without force': () =>
      api.client.http.delete(`/v1/tools/${toolInUse}?force=false`),
  },
  mcp_server_in_use: {
    'an MCP server that an agent names': () => api.client.http.delete(`/v1/mcp_servers/${serverInUse}`),
  },
  mcp_tools_changed: {
    'a list that a server never gave': () =>
      post(`/v1/mcp_servers/${serverInUse}/accept_tools`, { tools_hash: '0'.repeat(64) }),
  },
  session_busy: {
    'a turn that must not wait, for a busy session': () =>
      post(`/v1/sessions/${ours.sessionId}/turns`, { input: 'Hi', multitask_strategy: 'reject' }),
  },
  not_resumable: {
    'a turn that has not ended': () => post(`/v1/turns/${ours.turnId}/resume`, {}),
  },
  turn_not_ended: {
    'a fork after a turn that has not ended': () =>
      post(`/v1/sessions/${ours.sessionId}/fork`, { after_turn_id: ours.turnId }),
    'a rerun of a turn that has not ended': () => post(`/v1/turns/${ours.turnId}/rerun`, {}),
    'a preview of one': () => get(`/v1/turns/${ours.turnId}/rerun`),
  },
  no_action_required: {
    'an output for a turn that waits for none': () =>
      post(`/v1/turns/${ours.turnId}/tool_outputs`, {
        tool_outputs: [{ tool_call_id: newId('toolCall'), output: 'x' }],
      }),
  },
  body_too_large: {
    'two megabytes': () => startTurn('x'.repeat(2 * 1024 * 1024)),
    'one byte too much': () => post('/v1/agents', `"${'x'.repeat(MAX_BODY_BYTES - 1)}"`),
    'a compressed body that unfolds to ten megabytes': () => zipped(gzipSync(Buffer.alloc(10_000_000, ' '))),
  },
  unsupported_media_type: {
    text: () => typed('text/plain'),
    'a form': () => typed('application/x-www-form-urlencoded'),
    'JSON of another kind': () => typed('application/vnd.api+json'),
    'JSON in Latin 1': () => typed('application/json; charset=latin1'),
    'what is no media type': () => typed('json'),
    'a body without a type': () => typed('x/y').unset('Content-Type'),
    'an unknown compression': () => agent({}).set('Content-Encoding', 'compress'),
  },
  idempotency_key_reused: {
    'a key that was used with another body': () => keyed('used-before'),
    'the same key in quotes': () => keyed('"used-before"'),
  },
  // These do not depend on what is sent: each has its own test.
  insufficient_scope: {},
  idempotency_key_in_use: {},
  result_deleted: {},
  tool_call_settled: {},
  budget_exceeded: {},
  tool_name_taken: {},
  mcp_server_name_taken: {},
  // These need turns that have run: forks.test.ts.
  rerun_not_confirmed: {},
  session_too_large: {},
  // These need files: files.test.ts.
  file_limit: {},
  file_storage_full: {},
  file_not_ready: {},
  file_refused: {},
  file_too_large: {},
  // Needs a limit of a tenant: schedules.test.ts.
  schedule_limit: {},
  // These need batches: batches.test.ts.
  batch_limit: {},
  batch_not_ended: {},
  batch_too_large: {},
  file_type_mismatch: {},
  range_not_satisfiable: {},
  upload_incomplete: {},
  // Needs bodies in flight: read-body.test.ts.
  too_many_bodies: {},
  // These need a tenant of their own: limits.test.ts.
  rate_limited: {},
  queue_full: {},
  session_limit: {},
  webhook_endpoint_limit: {},
  agent_limit: {},
  agent_version_limit: {},
  tool_limit: {},
  mcp_server_limit: {},
  secret_limit: {},
  api_key_limit: {},
  metadata_too_large: {},
  webhook_endpoint_disabled: {},
  cursor_expired: {},
  too_many_streams: {},
  internal_error: {},
  // These need bytes that no client sends: check-headers.test.ts.
  malformed_request: {},
  ambiguous_header: {},
  request_timeout: {},
  headers_too_large: {},
  not_ready: {},
};

const cursorOf = (numbers: string): string => Buffer.from(numbers).toString('base64url');

for (const [code, requests] of Object.entries(REFUSED) as [ProblemCode, Record<string, () => Test>][]) {
  if (Object.keys(requests).length === 0) continue;
  describe(`refused as ${code}, with nothing stored`, () => {
    test.each(Object.entries(requests))('%s', async (_title, send) => {
      const before = await api.readAllRows();

      const response = await send();

      const problem = problemSchema.strict().parse(response.body);
      expect(problem).toMatchObject({ code, ...PROBLEMS[code], type: `urn:turnpike:problem:${code}` });
      expect(response.status).toBe(PROBLEMS[code].status);
      expect(response.headers['content-type']).toMatch(/^application\/problem\+json/);
      expect(response.headers['cache-control']).toBe('no-store');
      expect(problem.request_id).toBe(response.headers['x-request-id']);
      expect(idSchema('request').safeParse(problem.request_id).success).toBe(true);
      expect(await api.readAllRows()).toEqual(before);
    });
  });
}

test('a 401 says how to authenticate', async () => {
  const response = await anonymous();
  expect(response.headers['www-authenticate']).toBe('Bearer realm="turnpike"');
});

test('a 405 says which methods there are', async () => {
  const agents = await api.client.http.put('/v1/agents');
  expect(agents.headers['allow']).toBe('POST, GET');
  const turn = await api.client.http.post(`/v1/turns/${ours.turnId}`);
  expect(turn.headers['allow']).toBe('GET');
});

test('every issue of a body is reported with its path', async () => {
  const response = await agent({ max_steps: 0, tools: [{ type: 'builtin', name: 'a b', x: 1 }], colour: 1 });
  const paths = problemSchema.parse(response.body).errors?.map((error) => error.path);
  expect(paths?.toSorted()).toEqual(['colour', 'max_steps', 'tools.0.name', 'tools.0.x']);
});

test('at most 50 issues are reported', async () => {
  const unknown = Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`field_${n}`, n]));
  const response = await agent(unknown);
  expect(problemSchema.parse(response.body).errors).toHaveLength(50);
});

test('a compressed body within the limit is accepted', async () => {
  const response = await zipped(gzipSync(JSON.stringify({ name: 'zipped', model: 'm' })));
  expect(response.status).toBe(201);
  expect(response.body).toMatchObject({ name: 'zipped' });
});

test('text that only looks like an escaped NUL or surrogate is accepted, and returned unchanged', async () => {
  const name = String.raw`\u0000 \\ud800 😀`;
  const made = await agent({ name, metadata: { '\\u0000': '\\\\udfff' } }).expect(201);
  expect(made.body).toMatchObject({ name, metadata: { '\\u0000': '\\\\udfff' } });
});

test.each(['+14:00', '+15:59', '+16:00', '+23:59', '-16:00', '-23:59', '-00:00'])(
  'a turn can be scheduled at a time with the offset %s, and the time is the one that was meant',
  async (offset) => {
    const runAt = inTwoDays(offset);
    const turn = await startTurn('Later', { run_at: runAt }).expect(202);
    expect(turn.body.run_at).toBe(new Date(runAt).toISOString());
  },
);

test('times from 1970 to 9999 are accepted', async () => {
  await get('/v1/audit_entries?from=1970-01-01T00:00:00Z&to=9999-12-31T23:59:59Z').expect(200);
  await get('/v1/usage?to=1970-01-01').expect(200);
  await get('/v1/usage?from=9999-12-31&to=9999-12-31').expect(200);
});

test("a tool's schema may nest as deeply as real ones, and have every property name that the model accepts", async () => {
  const schema = {
    type: 'object',
    properties: {
      'a.b-c_D9': { type: 'object', properties: { $filter: {} }, oneOf: [{ required: ['$filter'] }, {}] },
      deep: JSON.parse(nested(30)),
    },
  };
  const made = await tool(JSON.stringify(schema)).expect(201);
  expect(made.body.input_schema).toEqual(schema);
});

test('metadata may have keys that every object inherits', async () => {
  const metadata = { constructor: 'a', toString: 'b', hasOwnProperty: 'c', prototype: 'd' };
  expect((await agent({ metadata }).expect(201)).body.metadata).toEqual(metadata);
});
