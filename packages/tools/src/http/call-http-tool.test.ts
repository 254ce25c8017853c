import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { newId, OutcomeUnknownError, RetryableError } from '@turnpike/contract';
import { createEgress } from '@turnpike/egress';
import { Webhook } from 'standardwebhooks';
import { startHttpToolTest, type HttpToolTest } from '../testing/http-tool-test.ts';
import type { SeenRequest } from '../testing/tool-server.ts';
import { textIn, turnContext } from '../testing/test-call.ts';
import { secretsOf, SIGNING_SECRET } from '../testing/test-runner.ts';
import { guardWithSlots, sensitiveGuard } from '../testing/test-guard.ts';

/** Long enough for a busy machine to connect to itself. */
const SHORT_MS = 1_500;

let harness: HttpToolTest;
let trials: HttpToolTest[];

const start = async (...settings: Parameters<typeof startHttpToolTest>): Promise<HttpToolTest> => {
  const started = await startHttpToolTest(...settings);
  trials.push(started);
  return started;
};
beforeEach(async () => {
  trials = [];
  harness = await start();
});
afterEach(() => Promise.all(trials.map(({ server }) => server.stop())));

/** Answers with each status in turn; the last one stays. */
function answerWith({ server }: HttpToolTest, ...answers: [number, Record<string, string>?][]): void {
  let count = 0;
  server.respond = (_request, response) => {
    const [status, headers] = answers[Math.min(count, answers.length - 1)] ?? [500];
    count += 1;
    response.writeHead(status, headers).end(`answer ${count}`);
  };
}

function onlyRequest({ server }: HttpToolTest): SeenRequest {
  const [seen, ...more] = server.seen;
  if (seen === undefined || more.length > 0) throw new Error(`${server.seen.length} requests came.`);
  return seen;
}

test.each(['POST', 'PUT', 'PATCH'] as const)('a %s carries the input as JSON', async (method) => {
  harness.configure({ method });
  const input = { city: 'Tōkyō', days: [1, 2], deep: { a: null } };
  const { call, output } = harness.call(input);
  expect(await output).toEqual({ content: [{ type: 'text', text: 'fine' }], isError: false });
  const [seen] = harness.server.seen;
  expect(seen).toMatchObject({ method, url: '/run', headers: { 'content-type': 'application/json' } });
  expect(JSON.parse(seen?.body ?? '')).toEqual(input);
  expect(seen?.headers['idempotency-key']).toBe(call.id);
});

test.each(['GET', 'DELETE'] as const)('a %s carries the input in its query, and no body', async (method) => {
  harness.configure({ method, url: `${harness.server.origin}/run?key=fixed%20value&key=2` });
  const { call, output } = harness.call({
    city: 'São Tomé & co',
    key: 'mine',
    n: 5,
    no: null,
    deep: { a: [1] },
  });
  await output;
  const [seen] = harness.server.seen;
  expect(seen).toMatchObject({ method, body: '' });
  expect(seen?.headers).not.toHaveProperty('content-type');
  expect(seen?.headers['idempotency-key']).toBe(call.id);
  expect(seen?.url).toMatch(/^\/run\?key=fixed%20value&key=2&/);
  expect([...new URL(seen?.url ?? '', harness.server.origin).searchParams].slice(2)).toEqual([
    ['city', 'São Tomé & co'],
    ['n', '5'],
    ['no', 'null'],
    ['deep', '{"a":[1]}'],
  ]);
});

test('an input that is too long for a query is an error, and nothing is sent', async () => {
  harness.configure({ method: 'GET' });
  const output = await harness.call({ text: 'x'.repeat(20_000) }).output;
  expect(output.isError).toBe(true);
  expect(textIn(output)).toContain('Nothing was sent');
  expect(harness.server.seen).toEqual([]);
});

test.each(['POST', 'GET'] as const)('a %s is signed as Standard Webhooks has it', async (method) => {
  harness.configure({ method });
  const { call, output } = harness.call({ word: 'grüße' });
  await output;
  const { headers, body } = onlyRequest(harness);
  const verify = (payload: string, secret = SIGNING_SECRET) =>
    new Webhook(secret).verify(payload, headers as Record<string, string>, { jsonParse: false });
  expect(() => verify(body)).not.toThrow();
  expect(() => verify(`${body} `)).toThrow();
  expect(() => verify(body, 'whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA')).toThrow();
  expect(headers['webhook-id']).toBe(call.id);
});

test('the signature has the database’s time, not this machine’s', async () => {
  const context = turnContext(undefined, 1_000_000_000_999);
  await harness.call({}, context).output;
  expect(harness.server.seen[0]?.headers['webhook-timestamp']).toBe('1000000000');
});

test('the headers name the turn and its session', async () => {
  const context = turnContext();
  await harness.call({}, context).output;
  expect(harness.server.seen[0]?.headers).toMatchObject({
    'turnpike-turn-id': context.turnId,
    'turnpike-session-id': context.sessionId,
  });
});

test('configured headers are sent, secrets among them, and cannot override ours', async () => {
  const own = await start({ secrets: secretsOf({ crm: 'Bearer s3cr3t-value' }) });
  own.configure({
    headers: {
      Authorization: { secret: 'crm' },
      'X-Plain': 'plain',
      'Idempotency-Key': 'mine',
      'WEBHOOK-ID': 'mine',
      'Webhook-Signature': 'v1,mine',
      'Turnpike-Turn-Id': 'mine',
    },
  });
  const { call, output } = own.call();
  await output;
  const headers = own.server.seen[0]?.headers ?? {};
  expect(headers).toMatchObject({
    authorization: 'Bearer s3cr3t-value',
    'x-plain': 'plain',
    'idempotency-key': call.id,
    'webhook-id': call.id,
  });
  expect(headers['webhook-signature']).not.toContain('mine');
  expect(headers['turnpike-turn-id']).not.toBe('mine');
});

test('a secret that does not exist is an error, and nothing is sent', async () => {
  harness.configure({ headers: { Authorization: { secret: 'crm' } } });
  const output = await harness.call().output;
  expect(output.isError).toBe(true);
  expect(textIn(output)).toBe(
    'secret_not_found: tool needs the secret crm, which does not exist. Nothing was sent.',
  );
  expect(harness.server.seen).toEqual([]);
});

test.each([
  ['cannot be read', { read: () => Promise.reject(new RetryableError('key_provider_unreachable', 'no')) }],
  ['do not come in time', { read: () => new Promise<never>(() => undefined) }],
  ['cannot sign', { open: () => Promise.reject(new RetryableError('key_provider_unreachable', 'no')) }],
])('secrets that %s are an error also for a call that is sent once: it was not sent', async (_, broken) => {
  const own = await start({ secrets: { ...secretsOf(), ...broken }, limits: { secretsWaitMs: 100 } });
  own.configure({ headers: { Authorization: { secret: 'crm' } }, effect: 'once' });
  const output = await own.call().output;
  expect(textIn(output)).toBe(
    'secret_unavailable: The secrets of tool cannot be read now. Nothing was sent.',
  );
  expect(own.server.seen).toEqual([]);
});

test('a call that may be repeated is not sent, and its turn released, where its secrets are unavailable', async () => {
  const read = () => Promise.reject(new RetryableError('key_provider_unreachable', 'no'));
  const own = await start({ secrets: { ...secretsOf(), read }, limits: { secretsWaitMs: 100 } });
  own.configure({ headers: { Authorization: { secret: 'crm' } } });
  await expect(own.call().output).rejects.toMatchObject({
    code: 'secret_unavailable',
    name: 'RetryableError',
  });
  expect(own.server.seen).toEqual([]);
});

test('a call may wait for its secrets longer than the tool’s own timeout', async () => {
  let asked = 0;
  const read = () => {
    asked += 1;
    const away = new RetryableError('key_provider_unreachable', 'no');
    return asked < 4
      ? Promise.reject(away)
      : secretsOf({ crm: 'here at last' }).read('', 'crm', { url: '', by: 'tool' });
  };
  const own = await start({ secrets: { ...secretsOf(), read } });
  own.configure({ headers: { Authorization: { secret: 'crm' } }, effect: 'once', timeout_ms: 200 });
  expect((await own.call().output).isError).toBe(false);
  expect(own.server.seen).toHaveLength(1);
});

test('secrets that a tool returns are shown neither to the model nor in the log', async () => {
  const value = 'Bearer tok+en/1234 "quoted"';
  const own = await start({ secrets: secretsOf({ crm: value, key: 'kKeyValue99' }) });
  own.configure({
    headers: { Authorization: { secret: 'crm' }, 'X-Key': { secret: 'key' } },
    effect: 'read',
  });
  const forms = [
    value,
    value.slice('Bearer '.length),
    encodeURIComponent(value),
    Buffer.from(value).toString('base64'),
    JSON.stringify(value),
    'kKeyValue99',
  ];
  for (const status of [200, 302, 404, 500]) {
    own.server.respond = (request, response) => {
      response.writeHead(status, { location: `/x?token=${encodeURIComponent(value)}`, 'retry-after': '60' });
      response.end(`${JSON.stringify(request.headers)} ${forms.join(' | ')}`);
    };
    const text = textIn(await own.call().output);
    expect(text).toContain('[secret]');
    for (const hidden of [...forms, 'tok+en', 'kKeyValue99']) expect(text).not.toContain(hidden);
  }
  expect(own.lines.length).toBeGreaterThan(0);
  for (const hidden of ['tok+en', 'kKeyValue99', SIGNING_SECRET])
    expect(own.lines.join('')).not.toContain(hidden);
});

test('a secret that is truncated by the limit on the output is hidden too', async () => {
  const own = await start({ secrets: secretsOf({ key: 'k'.repeat(10) + 'EndOfKey' }) });
  own.configure({ headers: { 'X-Key': { secret: 'key' } }, max_output_bytes: 256 });
  own.server.respond = (request, response) =>
    response.end(`${'x'.repeat(244)}${String(request.headers['x-key'])}`);
  const text = textIn(await own.call().output);
  expect(text).toBe(`${'x'.repeat(244)}[secret]\n[truncated: only the first 256 bytes were read]`);
});

test('JSON is shown unchanged, and a long response has a note that it was truncated', async () => {
  harness.server.respond = (_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end('{"a" : [1,\n2]}');
  };
  expect(textIn(await harness.call().output)).toBe('{"a" : [1,\n2]}');
  harness.configure({ max_output_bytes: 256 });
  harness.server.respond = (_request, response) => response.end('é'.repeat(1_000));
  expect(textIn(await harness.call().output)).toBe(
    `${'é'.repeat(128)}\n[truncated: only the first 256 bytes were read]`,
  );
});

test('a response without content, or of binary data, is described', async () => {
  answerWith(harness, [204]);
  expect(textIn(await harness.call().output)).toBe('[HTTP 204, no content]');
  harness.server.respond = (_request, response) => response.end(Buffer.from([0xff, 0xd8, 0xff]));
  expect(textIn(await harness.call().output)).toBe('[binary: 3 bytes that are not text]');
});

test.each([400, 401, 404, 409, 422])('a status of %i is an error, and is not retried', async (status) => {
  answerWith(harness, [status]);
  const output = await harness.call().output;
  expect(output.isError).toBe(true);
  expect(textIn(output)).toBe(`HTTP ${status}\n\nanswer 1`);
  expect(harness.server.seen).toHaveLength(1);
});

test('a redirect is an error, and is not followed', async () => {
  answerWith(harness, [307, { location: '/elsewhere' }]);
  const output = await harness.call().output;
  expect(output.isError).toBe(true);
  expect(textIn(output)).toContain(
    'HTTP 307\nThe tool responded with a redirect to /elsewhere. It was not followed.',
  );
  expect(harness.server.seen).toHaveLength(1);
});

test.each([
  ['read', 408],
  ['idempotent', 425],
  ['idempotent', 429],
  ['read', 500],
  ['idempotent', 503],
] as const)(
  'a call of effect %s that meets a %i is sent again, under the same key',
  async (effect, status) => {
    harness.configure({ effect });
    answerWith(harness, [status], [status], [200]);
    const { call, output } = harness.call({ a: 1 });
    expect(textIn(await output)).toBe('answer 3');
    expect(harness.server.seen).toHaveLength(3);
    for (const { headers, body } of harness.server.seen) {
      expect([headers['idempotency-key'], headers['webhook-id'], body]).toEqual([
        call.id,
        call.id,
        '{"a":1}',
      ]);
    }
  },
);

test('a call that may be repeated is sent at most three times, and has the last result', async () => {
  answerWith(harness, [503]);
  const output = await harness.call().output;
  expect(textIn(output)).toBe('HTTP 503, after 3 tries\n\nanswer 3');
  expect(output.isError).toBe(true);
  expect(harness.server.seen).toHaveLength(3);
});

test('a connection that breaks is retried, and is an error where it breaks each time', async () => {
  let count = 0;
  harness.server.respond = (request, response) => {
    count += 1;
    if (count === 1) request.socket.destroy();
    else response.end('fine');
  };
  expect(textIn(await harness.call().output)).toBe('fine');
  harness.server.respond = (request) => request.socket.destroy();
  expect(await harness.call().output).toMatchObject({
    isError: true,
    content: [{ text: '127.0.0.1 closed the connection without a response. It was tried 3 times.' }],
  });
});

test('a short Retry-After is waited for, and a long one ends the call', async () => {
  answerWith(harness, [429, { 'retry-after': '1' }], [200]);
  expect(textIn(await harness.call().output)).toBe('answer 2');
  const [first, second] = harness.server.seen;
  expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(990);

  answerWith(harness, [503, { 'retry-after': '60' }]);
  const output = await harness.call().output;
  expect(textIn(output)).toBe('HTTP 503\nRetry-After: 60\n\nanswer 1');
  expect(harness.server.seen).toHaveLength(3);
});

test('no retry begins after the time of the call', async () => {
  harness.configure({ timeout_ms: 4_500 });
  answerWith(harness, [429, { 'retry-after': '5' }]);
  expect(textIn(await harness.call().output)).toContain('HTTP 429');
  expect(harness.server.seen).toHaveLength(1);
});

test.each(['once', 'reconcile'] as const)(
  'a call of effect %s is sent once, and a 5xx is its answer',
  async (effect) => {
    harness.configure({
      effect,
      ...(effect === 'reconcile' ? { reconcile_url: `${harness.server.origin}/ask` } : {}),
    });
    answerWith(harness, [503]);
    const output = await harness.call().output;
    expect(output.isError).toBe(true);
    expect(textIn(output)).toBe(
      'HTTP 503\nThe call may have taken effect. Check before you repeat it.\n\nanswer 1',
    );
    expect(harness.server.seen).toHaveLength(1);
  },
);

test.each(['once', 'reconcile'] as const)(
  'a call of effect %s that left and got no answer has an outcome that nobody knows',
  async (effect) => {
    const own = await start({ egress: createEgress({ allow: ['127.0.0.1'], deadlineMs: SHORT_MS }) });
    own.configure({
      effect,
      ...(effect === 'reconcile' ? { reconcile_url: `${own.server.origin}/ask` } : {}),
    });
    own.server.respond = (request) => request.socket.destroy();
    await expect(own.call().output).rejects.toMatchObject({
      constructor: OutcomeUnknownError,
      code: 'connection_lost',
    });
    own.server.respond = () => undefined;
    await expect(own.call().output).rejects.toMatchObject({
      constructor: OutcomeUnknownError,
      code: 'answer_timeout',
    });
    expect(own.server.seen).toHaveLength(2);
  },
);

test('a tool that never responds times out at its own timeout', async () => {
  harness.configure({ timeout_ms: SHORT_MS, effect: 'once' });
  harness.server.respond = () => undefined;
  await expect(harness.call().output).rejects.toMatchObject({ code: 'answer_timeout' });
});

test('a call that was not sent is an error also where it may be sent only once', async () => {
  harness.configure({ effect: 'once', url: 'http://127.0.0.2:8080/run' });
  expect(textIn(await harness.call().output)).toBe(
    'The request was not sent. 127.0.0.2 is not at a public address.',
  );
  harness.configure({ effect: 'once', headers: { Host: 'other.example' } });
  expect(textIn(await harness.call().output)).toBe(
    'The request was not sent. The header host cannot be set.',
  );
  harness.configure({ effect: 'once' });
  await harness.server.stop();
  expect(textIn(await harness.call().output)).toBe(
    'The request was not sent. No connection to 127.0.0.1 could be established.',
  );
});

test('a call without a free slot is an error at once, also where it may be sent only once', async () => {
  const own = await start({ guard: guardWithSlots(1) });
  own.configure({ effect: 'once' });
  const arrived = new Promise<() => void>((resolve) => {
    own.server.respond = (_request, response) => resolve(() => response.end('late'));
  });
  const first = own.call().output;
  const finish = await arrived;
  const second = await own.call().output;
  expect(second.isError).toBe(true);
  expect(textIn(second)).toBe(
    'bulkhead_full: tool is busy with other calls. Nothing was sent; try again later.',
  );
  finish();
  expect(textIn(await first)).toBe('late');
  expect(own.server.seen).toHaveLength(1);
});

test('an origin that fails opens the circuit breaker of this tenant and no other', async () => {
  const own = await start({ guard: sensitiveGuard() });
  answerWith(own, [503]);
  let output = await own.call().output;
  for (let call = 0; call < 20 && !textIn(output).startsWith('circuit_open'); call += 1) {
    expect(textIn(output)).toContain('HTTP 503');
    output = await own.call().output;
  }
  expect(textIn(output)).toBe(
    'circuit_open: tool has not responded lately. Nothing was sent; try again later.',
  );
  const { length } = own.server.seen;
  own.configure({ effect: 'once' });
  expect(textIn(await own.call().output)).toContain('Nothing was sent');
  expect(own.server.seen).toHaveLength(length);

  answerWith(own, [200]);
  const other = { ...turnContext(), tenantId: newId('tenant') };
  expect(textIn(await own.call({}, other).output)).toBe('answer 1');
});

test('an origin that responds with 4xx does not open the circuit breaker', async () => {
  const own = await start({ guard: sensitiveGuard() });
  own.configure({ effect: 'once' });
  answerWith(own, [400], [404], [429], [400], [404], [429], [400], [404], [200]);
  for (let call = 0; call < 8; call += 1) expect((await own.call().output).isError).toBe(true);
  expect(textIn(await own.call().output)).toBe('answer 9');
});

test('a turn that stops closes the connection and rejects with its own reason', async () => {
  const reason = new Error('the turn stops');
  const turn = new AbortController();
  const closed = new Promise<void>((resolve) => {
    harness.server.respond = (request) => {
      request.socket.on('close', () => resolve());
      turn.abort(reason);
    };
  });
  harness.configure({ effect: 'once' });
  await expect(harness.call({}, turnContext(turn.signal)).output).rejects.toBe(reason);
  await closed;
});

test('a turn that stops while a call waits for its retry rejects with its own reason', async () => {
  const reason = new Error('the turn stops');
  const turn = new AbortController();
  harness.server.respond = (_request, response) => {
    response.on('finish', () => setImmediate(() => turn.abort(reason)));
    response.writeHead(503, { 'retry-after': '5' }).end();
  };
  await expect(harness.call({}, turnContext(turn.signal)).output).rejects.toBe(reason);
  expect(harness.server.seen).toHaveLength(1);
});
