import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { idSchema, PROBLEMS, problemSchema, type Problem, type ProblemCode } from '@turnpike/contract';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { startTestApi, type TestApi } from './testing/test-api.ts';

let api: TestApi;
let ours: string;
let theirs: string;

beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), {
    backplaneUrl: process.env['TEST_REDIS_URL'],
    times: { headersTimeout: 200, requestTimeout: 300, connectionsCheckingInterval: 20 },
  });
  ours = api.client.apiKey;
  theirs = (await api.addTenant()).apiKey;
});
afterAll(() => api.stop());

interface RawAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** Sends exactly these bytes, and reads until the server closes the connection. */
async function sendRaw(bytes: string): Promise<RawAnswer> {
  const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.write(bytes, 'latin1');
  await once(socket, 'close');
  const [head = '', body = ''] = Buffer.concat(chunks).toString().split('\r\n\r\n', 2);
  const [start = '', ...lines] = head.split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  );
  return { status: Number(start.split(' ')[1]), headers, body };
}

const request = (start: string, ...headers: string[]): string =>
  [`${start} HTTP/1.1`, 'Host: api', 'Connection: close', ...headers, '', ''].join('\r\n');
const post = (length: string, body: string): string =>
  request('POST /v1/agents', `Authorization: Bearer ${ours}`, 'Content-Type: application/json', length) +
  body;
const list = (...headers: string[]): Promise<RawAnswer> => sendRaw(request('GET /v1/agents', ...headers));

/** The problem of a response, whose request id is in the header and in the body. */
function problemOf({ status, headers, body }: RawAnswer, code: ProblemCode): Problem {
  const problem = problemSchema.strict().parse(JSON.parse(body));
  expect(problem).toMatchObject({ code, ...PROBLEMS[code], type: `urn:turnpike:problem:${code}` });
  expect(status).toBe(PROBLEMS[code].status);
  expect(headers['content-type']).toMatch(/^application\/problem\+json/);
  expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
  expect(idSchema('request').safeParse(problem.request_id).success).toBe(true);
  expect(headers['x-request-id']).toBe(problem.request_id);
  return problem;
}

describe('a single-value header that is sent with two values is refused, and neither is used', () => {
  test.each<[string, () => string[]]>([
    ['two keys', () => [`Authorization: Bearer ${ours}`, `Authorization: Bearer ${theirs}`]],
    ['a key and a login', () => [`Authorization: Bearer ${ours}`, 'authorization: Basic YTpi']],
    ['two keys as x-api-key', () => [`X-Api-Key: ${ours}`, `x-api-key: ${theirs}`]],
    ['two keys, one in each header', () => [`Authorization: Bearer ${ours}`, `X-Api-Key: ${theirs}`]],
    ['two hosts', () => [`Authorization: Bearer ${ours}`, 'Host: elsewhere']],
    [
      'two idempotency keys',
      () => [`Authorization: Bearer ${ours}`, 'Idempotency-Key: a', 'Idempotency-Key: b'],
    ],
    [
      'two types of a body',
      () => [`Authorization: Bearer ${ours}`, 'Content-Type: application/json', 'Content-Type: text/plain'],
    ],
    [
      'two places to begin a stream at',
      () => [`Authorization: Bearer ${ours}`, 'Last-Event-ID: a', 'Last-Event-ID: b'],
    ],
  ])('%s', async (_what, headers) => {
    const problem = problemOf(await list(...headers()), 'ambiguous_header');
    expect(problem.detail).not.toContain('tp_live_');
  });

  test('a header that is sent twice with the same value is accepted', async () => {
    const key = `Authorization: Bearer ${ours}`;
    expect(await list(key, key)).toMatchObject({ status: 200 });
    expect(await list(key, `X-Api-Key: ${ours}`)).toMatchObject({ status: 200 });
  });

  test("a proxy's Basic login beside the key in X-Api-Key is ignored", async () => {
    expect(await list('Authorization: Basic YTpi', `X-Api-Key: ${ours}`)).toMatchObject({ status: 200 });
  });
});

describe('what the parser refuses gets a problem with a request id', () => {
  const name = 'X-Long: ';
  test.each<[string, ProblemCode, () => string]>([
    ['one header that is too large', 'headers_too_large', () => request('GET /', name + 'a'.repeat(20_000))],
    [
      'headers that are too large together',
      'headers_too_large',
      () => request('GET /', ...Array.from({ length: 300 }, (_, n) => `X-${n}: ${'a'.repeat(100)}`)),
    ],
    ['an address that is too long', 'headers_too_large', () => request(`GET /${'a'.repeat(20_000)}`)],
    ['no HTTP', 'malformed_request', () => 'nonsense\r\n\r\n'],
    ['the beginning of TLS', 'malformed_request', () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['HTTP/2', 'malformed_request', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a method that is none', 'malformed_request', () => request('FETCH /v1/agents')],
    ['a header without a name', 'malformed_request', () => request('GET /', ': x')],
    ['a space in the name of a header', 'malformed_request', () => request('GET /', 'Host : x')],
    ['half of a line’s end in a header', 'malformed_request', () => request('GET /', 'X-A: a\rb')],
    [
      'a length beside chunks',
      'malformed_request',
      () => post('Content-Length: 5\r\nTransfer-Encoding: chunked', '0\r\n\r\n'),
    ],
    ['two lengths', 'malformed_request', () => post('Content-Length: 5\r\nContent-Length: 6', '{}    ')],
    ['a length that is no number', 'malformed_request', () => post('Content-Length: five', '{}   ')],
    ['a chunk without a size', 'malformed_request', () => post('Transfer-Encoding: chunked', 'zz\r\n{}\r\n')],
    [
      'a chunk that is longer than its size',
      'malformed_request',
      () => post('Transfer-Encoding: chunked', '2\r\n{}{}\r\n0\r\n\r\n'),
    ],
    ['no host', 'invalid_request', () => 'GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n'],
    ['headers that do not end', 'request_timeout', () => 'GET /livez HTTP/1.1\r\nHost: api\r\n'],
    ['a body that does not come', 'request_timeout', () => post('Content-Length: 50', '{"name":')],
  ])('%s: %s', async (_what, code, bytes) => {
    problemOf(await sendRaw(bytes()), code);
  });

  test('the log has a line with the same request id, and nothing of the request', async () => {
    const response = await sendRaw(request('GET /', `Authorization : Bearer ${ours}`));
    const { request_id: requestId } = problemOf(response, 'malformed_request');
    const lines = api.logLines.filter((line) => line.includes(requestId));
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      expect.objectContaining({ status: 400, code: 'HPE_INVALID_HEADER_TOKEN' }),
    ]);
    expect(api.logLines.join('')).not.toContain(ours);
  });

  test('an unknown expectation is ignored', async () => {
    expect(await sendRaw(request('GET /livez', 'Expect: the-unexpected'))).toMatchObject({ status: 200 });
  });

  test('malformed bytes after a stream has begun close the connection, and get no response inside the stream', async () => {
    const { body: agent } = await api.client.http.post('/v1/agents').send({ name: 'a', model: 'm' });
    const { body: turn } = await api.client.http.post('/v1/turns').send({ agent_id: agent.id, input: 'Hi' });
    const bytes = request(`GET /v1/turns/${turn.id}/events`, `Authorization: Bearer ${ours}`);
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket.write(bytes.replace('Connection: close\r\n', ''));
    while (!text.includes('\r\n\r\n')) await once(socket, 'data');
    socket.write('nonsense\r\n\r\n');
    await once(socket, 'close');
    expect(text.match(/HTTP\/1\.1/g)).toEqual(['HTTP/1.1']);
  });
});
