import { afterEach, expect, test } from '@jest/globals';
import {
  Turnpike,
  TurnpikeApiError,
  TurnpikeConnectionError,
  TurnpikeTimeoutError,
  type TurnpikeOptions,
} from '@turnpike/client';
import {
  answerJson,
  sendProblem,
  startFixedResponseServer,
  type Answering,
  type FixedResponseServer,
} from './support/fixed-response-server.ts';
import { untilTrue } from '../support/until-true.ts';

let server: FixedResponseServer | undefined;
afterEach(() => server?.stop());

async function serve(answer: Answering, options: Partial<TurnpikeOptions> = {}): Promise<Turnpike> {
  await server?.stop();
  server = await startFixedResponseServer(answer);
  return new Turnpike({ baseUrl: server.url, apiKey: 'tp_live_test', ...options });
}

/** What a promise rejects with. */
async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error('It did not fail.');
    },
    (error: unknown) => error,
  );
}

const SUBMISSION = { agent_id: 'agent_1', input: 'Hi' };

test.each([
  [408, 'unexpected_answer'],
  [409, 'idempotency_key_in_use'],
  [429, 'rate_limited'],
  [429, 'queue_full'],
  [500, 'internal_error'],
  [502, 'unexpected_answer'],
  [503, 'not_ready'],
])('a submission that is answered %d %s is sent again with the same key and body', async (status, code) => {
  const turnpike = await serve((response, number) => {
    if (number < 2) sendProblem(response, status, code);
    else answerJson(response, 202, { id: 'turn_1' });
  });
  expect(await turnpike.turns.submit(SUBMISSION)).toEqual({ id: 'turn_1' });
  const asked = server?.asked ?? [];
  expect(asked.map(({ method, path }) => `${method} ${path}`)).toEqual(Array(3).fill('POST /v1/turns'));
  const [key] = asked.map(({ headers }) => headers['idempotency-key']);
  expect(key).toMatch(/^[0-9a-f-]{36}$/);
  for (const { headers, body } of asked) {
    expect(headers['idempotency-key']).toBe(key);
    expect(headers.authorization).toBe('Bearer tp_live_test');
    expect(JSON.parse(body)).toEqual(SUBMISSION);
  }
});

test.each([
  [400, 'invalid_request'],
  [401, 'unauthenticated'],
  [402, 'budget_exceeded'],
  [404, 'not_found'],
  [409, 'session_busy'],
  [422, 'idempotency_key_reused'],
])('what is answered %d %s is not sent again', async (status, code) => {
  const turnpike = await serve((response) => sendProblem(response, status, code));
  const error = await failureOf(turnpike.turns.submit(SUBMISSION));
  expect(error).toBeInstanceOf(TurnpikeApiError);
  expect(error).toMatchObject({ status, code, requestId: 'req_1', retryAfterMs: null, errors: [] });
  expect(server?.asked).toHaveLength(1);
});

test('two submissions have two keys, and one that is given is used', async () => {
  const turnpike = await serve((response) => answerJson(response, 202, {}));
  await turnpike.turns.submit(SUBMISSION);
  await turnpike.turns.submit(SUBMISSION);
  await turnpike.turns.submit(SUBMISSION, { idempotencyKey: 'order-17' });
  const keys = server?.asked.map(({ headers }) => headers['idempotency-key']) ?? [];
  expect(new Set(keys).size).toBe(3);
  expect(keys[2]).toBe('order-17');
});

test('it never comes back before Retry-After says so, in seconds or as a date', async () => {
  const turnpike = await serve((response, number) => {
    const inTwoSeconds = new Date(Date.now() + 2_000).toUTCString();
    const after = ['1', inTwoSeconds][number];
    if (after === undefined) answerJson(response, 200, { id: 'turn_1' });
    else sendProblem(response, 429, 'rate_limited', { 'retry-after': after });
  });
  await turnpike.turns.get('turn_1');
  const [first = 0, second = 0, third = 0] = server?.asked.map(({ at }) => at) ?? [];
  expect(second - first).toBeGreaterThanOrEqual(990);
  // A date has whole seconds.
  expect(third - second).toBeGreaterThanOrEqual(900);
});

test('a Retry-After of minutes is reported at once', async () => {
  const turnpike = await serve((response) =>
    sendProblem(response, 429, 'rate_limited', { 'retry-after': '600' }),
  );
  const error = await failureOf(turnpike.turns.get('turn_1'));
  expect(error).toMatchObject({ status: 429, retryAfterMs: 600_000 });
  expect(server?.asked).toHaveLength(1);
});

test('it gives up after the configured number of tries, with the last error of the service', async () => {
  const turnpike = await serve((response) => sendProblem(response, 503, 'not_ready'), { maxRetries: 2 });
  expect(await failureOf(turnpike.turns.get('turn_1'))).toMatchObject({ status: 503, code: 'not_ready' });
  expect(server?.asked).toHaveLength(3);
});

test('a closed port is a connection error, and a proxy’s HTML page is not taken for a problem', async () => {
  const gone = await serve((response) => answerJson(response, 200, {}), { maxRetries: 1 });
  await server?.stop();
  server = undefined;
  expect(await failureOf(gone.turns.get('turn_1'))).toBeInstanceOf(TurnpikeConnectionError);

  const behind = await serve((response) => response.writeHead(200).end('<h1>Sign in</h1>'));
  expect(await failureOf(behind.turns.get('turn_1'))).toMatchObject({
    status: 200,
    code: 'unexpected_answer',
  });
});

test('a redirect is not followed: its target does not get the key', async () => {
  const turnpike = await serve((response) =>
    response.writeHead(307, { location: 'http://127.0.0.1:1/elsewhere' }).end(),
  );
  expect(await failureOf(turnpike.turns.get('turn_1'))).toMatchObject({
    status: 307,
    code: 'unexpected_answer',
  });
  expect(server?.asked).toHaveLength(1);
});

test('a server that says nothing is waited for no longer than said, and asked again', async () => {
  const turnpike = await serve(() => undefined, { timeoutMs: 100, maxRetries: 1 });
  const error = await failureOf(turnpike.turns.get('turn_1'));
  expect(error).toBeInstanceOf(TurnpikeTimeoutError);
  expect(error).toMatchObject({ timeoutMs: 100 });
  expect(server?.asked).toHaveLength(2);
});

test('an abort rejects with its reason: before the call, while it is under way, and between two tries', async () => {
  const reason = new Error('The user left.');
  const silent = await serve(() => undefined);
  const signal = AbortSignal.abort(reason);
  expect(await failureOf(silent.turns.get('turn_1', { signal }))).toBe(reason);
  expect(server?.asked).toHaveLength(0);

  for (const call of [
    (each: AbortSignal) => silent.turns.submit(SUBMISSION, { signal: each }),
    (each: AbortSignal) => silent.turns.wait('turn_1', { signal: each }),
    (each: AbortSignal) => silent.turns.stream('turn_1', { signal: each }).next(),
    (each: AbortSignal) => silent.turns.list({}, { signal: each }).page(),
  ]) {
    const before = server?.asked.length ?? 0;
    const controller = new AbortController();
    const failure = failureOf(call(controller.signal));
    await untilTrue('it is asked', () => server?.asked.length === before + 1);
    controller.abort(reason);
    expect(await failure).toBe(reason);
  }

  const busy = await serve((response) => sendProblem(response, 429, 'rate_limited', { 'retry-after': '30' }));
  const controller = new AbortController();
  const failure = failureOf(busy.turns.get('turn_1', { signal: controller.signal }));
  await untilTrue('it was answered', () => server?.asked.length === 1);
  controller.abort(reason);
  expect(await failure).toBe(reason);
});

test('an id cannot lead to another address', async () => {
  const turnpike = await serve((response) => answerJson(response, 200, {}));
  await turnpike.turns.get('../agents?x=1#');
  expect(server?.asked[0]?.path).toBe('/v1/turns/..%2Fagents%3Fx%3D1%23');
  for (const id of ['', '.', '..']) expect(() => turnpike.turns.get(id)).toThrow(TypeError);
});

test('what cannot be meant is refused when the client is made', () => {
  const options = { baseUrl: 'https://turnpike.example.com', apiKey: 'tp_live_test' };
  for (const wrong of [
    { apiKey: '' },
    { apiKey: 'two\nlines' },
    { baseUrl: 'turnpike.example.com' },
    { baseUrl: 'ftp://turnpike.example.com' },
    { baseUrl: 'https://user@turnpike.example.com' },
    { baseUrl: '' },
    { baseUrl: 'api' },
  ]) {
    expect(() => new Turnpike({ ...options, ...wrong })).toThrow(TypeError);
  }
});

/** Where a client with this `baseUrl` asks, by its own `fetch`; in a page of this origin where one is given. */
async function placeAskedAt(baseUrl: string, origin?: string): Promise<{ at: string; headers: Headers }> {
  const asked: { at: string; headers: Headers }[] = [];
  if (origin !== undefined) Object.assign(globalThis, { location: { origin } });
  try {
    const turnpike = new Turnpike({
      baseUrl,
      apiKey: null,
      async fetch(input, init) {
        asked.push({ at: input as string, headers: new Headers(init?.headers) });
        return Response.json({ id: 'turn_1' });
      },
    });
    await turnpike.turns.get('turn_1');
  } finally {
    Reflect.deleteProperty(globalThis, 'location');
  }
  const [first] = asked;
  if (first === undefined) throw new Error('Nothing was asked.');
  return first;
}

test('a baseUrl that is a path leads to the origin of the page, and to no other', async () => {
  const page = 'https://page.invalid:8443';
  const addresses = {
    '/api': '/api',
    '/api/': '/api',
    '/': '',
    '/a/../b': '/b',
    '/..//elsewhere.invalid': '//elsewhere.invalid',
  };
  for (const [baseUrl, path] of Object.entries(addresses)) {
    expect((await placeAskedAt(baseUrl, page)).at).toBe(`${page}${path}/v1/turns/turn_1`);
  }
  for (const elsewhere of [
    '//elsewhere.invalid',
    '/\\elsewhere.invalid',
    '/\t/elsewhere.invalid',
    '/api?x=1',
    '/api#x',
  ]) {
    await expect(placeAskedAt(elsewhere, page)).rejects.toThrow(TypeError);
    await expect(placeAskedAt(elsewhere)).rejects.toThrow(TypeError);
  }
});

test('outside of a page, a path is for a fetch of your own; without one it is refused with the reason', async () => {
  expect((await placeAskedAt('/api/')).at).toBe('/api/v1/turns/turn_1');
  expect((await placeAskedAt('/..//elsewhere.invalid')).at).toBe('/elsewhere.invalid/v1/turns/turn_1');
  expect(() => new Turnpike({ baseUrl: '/api', apiKey: null })).toThrow(/only in a page/);
});

test('without a key of its own, a client sends none', async () => {
  expect((await placeAskedAt('https://turnpike.invalid')).headers.has('authorization')).toBe(false);
});

test('the key is in no error and not in what the client prints', async () => {
  const turnpike = await serve((response) => sendProblem(response, 401, 'unauthenticated'), {
    apiKey: 'tp_live_canary',
  });
  const error = await failureOf(turnpike.turns.get('turn_1'));
  const { inspect } = await import('node:util');
  const printed = [error, turnpike].map((each) => inspect(each, { depth: 10, showHidden: true })).join('\n');
  expect(printed).toContain('unauthenticated');
  expect(printed).not.toContain('canary');
});

test('a service that has no room for one more who waits is not asked without a pause', async () => {
  const turnpike = await serve((response, number) =>
    answerJson(response, 200, { id: 'turn_1', status: number < 2 ? 'in_progress' : 'completed' }),
  );
  expect(await turnpike.turns.wait('turn_1')).toMatchObject({ status: 'completed' });
  const times = (server?.asked ?? []).map(({ at }) => at);
  expect(times).toHaveLength(3);
  // Half of each pause, at the least.
  const [first = 0, second = 0, third = 0] = times;
  expect(second - first).toBeGreaterThanOrEqual(240);
  expect(third - second).toBeGreaterThanOrEqual(490);
});

test('versions of agents and the deletion of a tool in use are asked for as the API has them', async () => {
  const turnpike = await serve((response, number) => {
    if (number === 4) {
      const problem = { code: 'tool_in_use', detail: 'In use.', agent_ids: ['agent_1'] };
      answerJson(response, 409, problem);
    } else answerJson(response, 200, { items: [], next_cursor: null });
  });
  await turnpike.agents.get('agent_1', { version: 2 });
  await turnpike.agents.versions('agent_1', { limit: 5 }).page();
  await turnpike.agents.restore('agent_1', 2);
  await turnpike.agents.update('agent_1', { system: null, if_version: 3 });
  expect(await failureOf(turnpike.tools.delete('tool_1'))).toMatchObject({
    code: 'tool_in_use',
    agentIds: ['agent_1'],
  });
  await turnpike.tools.delete('tool_1', { force: true });
  await turnpike.secrets.put('crm', 'value', { allowedHosts: ['crm.example'] });
  expect(server?.asked.at(-1)?.body).toBe('{"value":"value","allowed_hosts":["crm.example"]}');
  expect(server?.asked.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'GET /v1/agents/agent_1?version=2',
    'GET /v1/agents/agent_1/versions?limit=5',
    'POST /v1/agents/agent_1/versions/2/restore',
    'POST /v1/agents/agent_1',
    'DELETE /v1/tools/tool_1',
    'DELETE /v1/tools/tool_1?force=true',
    'PUT /v1/secrets/crm',
  ]);
});
