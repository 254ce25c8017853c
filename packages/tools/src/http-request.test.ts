import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { OutcomeUnknownError } from '@turnpike/contract';
import { createEgress, type EgressPolicy } from '@turnpike/egress';
import { httpRequest } from './http-request.ts';
import { agentWith, callOf, scopeOf, textIn, turnContext } from './testing/test-call.ts';
import { testRunner } from './testing/test-runner.ts';

interface Seen {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
}

/** Long enough for a busy machine to connect to itself. */
const SHORT_MS = 1_500;
const scope = scopeOf(agentWith('http_request'));
let server: Server;
let seen: Seen[];
let origin: string;
let answer: RequestListener;

beforeEach(async () => {
  seen = [];
  answer = (_request, response) => response.end('fine');
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      seen.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
      answer(request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function runnerWith(policy: EgressPolicy = { allow: ['127.0.0.1'] }) {
  return testRunner({ builtins: [httpRequest(createEgress(policy))] });
}

function send(input: Record<string, unknown>, policy?: EgressPolicy) {
  const runner = runnerWith(policy);
  const isRead = ['GET', 'HEAD', 'OPTIONS'].includes(JSON.stringify(input['method'] ?? 'GET').slice(1, -1));
  const call = callOf('http_request', input, isRead ? 'read' : 'once');
  return { call, output: runner.run(scope, call, turnContext()) };
}

test('the model is shown status, some headers and the body, and no cookie', async () => {
  answer = (_request, response) => {
    response.setHeader('content-type', 'text/plain; charset=utf-8');
    response.setHeader('etag', '"one"');
    response.setHeader('set-cookie', 'session=secret');
    response.end('grüße 😀');
  };
  const { output } = send({ url: `${origin}/hello?a=1` });
  expect((await output).isError).toBe(false);
  expect(textIn(await output)).toBe(
    'HTTP 200\ncontent-type: text/plain; charset=utf-8\ncontent-length: 12\netag: "one"\n\ngrüße 😀',
  );
  expect(seen).toMatchObject([{ method: 'GET', url: '/hello?a=1', headers: { 'user-agent': 'Turnpike' } }]);
});

test('a request that is not a read has the call’s id as its idempotency key, whatever the model gave', async () => {
  const headers = { 'Idempotency-Key': 'mine', 'Content-Type': 'application/json' };
  const { call, output } = send({ method: 'POST', url: origin, headers, body: '{"a":"ü"}' });
  expect((await output).isError).toBe(false);
  expect(seen).toMatchObject([
    {
      method: 'POST',
      headers: { 'idempotency-key': call.id, 'content-type': 'application/json' },
      body: '{"a":"ü"}',
    },
  ]);
});

test('a read has no idempotency key', async () => {
  await send({ url: origin }).output;
  expect(seen[0]?.headers).not.toHaveProperty('idempotency-key');
});

test.each([
  ['GET', 'read'],
  ['HEAD', 'read'],
  ['OPTIONS', 'read'],
  ['POST', 'once'],
  ['PUT', 'once'],
  ['PATCH', 'once'],
  ['DELETE', 'once'],
])('%s has the effect %s', async (method, effect) => {
  const call = callOf('http_request', { method, url: 'https://a.example' });
  expect((await runnerWith().planOf(scope, call)).effect).toBe(effect);
});

test.each(['X-HTTP-Method-Override', 'x-http-method', 'X-Method-Override'])(
  'a GET that %s turns into something else is sent once',
  async (name) => {
    const input = { method: 'GET', url: 'https://a.example', headers: { [name]: 'DELETE' } };
    expect((await runnerWith().planOf(scope, callOf('http_request', input))).effect).toBe('once');
  },
);

test.each([
  [302, false],
  [399, false],
  [400, true],
  [404, true],
  [503, true],
])('a status of %i is a result; it is an error: %s', async (status, isError) => {
  answer = (_request, response) => {
    response.writeHead(status, { location: '/elsewhere' });
    response.end('why');
  };
  const output = await send({ method: 'POST', url: origin }).output;
  expect(output.isError).toBe(isError);
  expect(textIn(output)).toBe(`HTTP ${status}\nlocation: /elsewhere\n\nwhy`);
  expect(seen).toHaveLength(1);
});

test('a body in another character set is decoded', async () => {
  answer = (_request, response) => {
    response.setHeader('content-type', 'text/plain; charset=ISO-8859-1');
    response.end(Buffer.from('gr\xfc\xdfe', 'latin1'));
  };
  expect(textIn(await send({ url: origin }).output)).toMatch(/\n\ngrüße$/);
});

test.each([
  ['bytes that are no UTF-8', Buffer.from([0xff, 0xfe, 0xfd]), 'application/octet-stream'],
  ['bytes with a NUL', Buffer.from('a\0b'), 'text/plain'],
  ['a character set that is not known', Buffer.from('abc'), 'text/plain; charset=klingon'],
])('%s are described as binary, with their size', async (_, bytes, type) => {
  answer = (_request, response) => {
    response.setHeader('content-type', type);
    response.end(bytes);
  };
  const output = await send({ url: origin }).output;
  expect(textIn(output)).toMatch(/\n\n\[binary: 3 bytes that are not text\]$/);
});

test('a body that is too long is truncated between characters, with a note', async () => {
  answer = (_request, response) => response.end('€'.repeat(100));
  const output = await send({ url: origin }, { allow: ['127.0.0.1'], maxResponseBytes: 10 }).output;
  expect(textIn(output)).toMatch(/\n\n€€€\n\[truncated: only the first 10 bytes were read\]$/);
});

test('a body whose connection breaks is shown as far as it was received, with a note', async () => {
  answer = (_request, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('half', () => response.socket?.destroy());
  };
  const output = await send({ method: 'POST', url: origin }).output;
  expect(output.isError).toBe(false);
  expect(textIn(output)).toMatch(/\n\nhalf\n\[truncated: the connection broke after 4 bytes\]$/);
});

test('a body without an end is shown as far as it was received by the deadline', async () => {
  answer = (_request, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('slow');
  };
  const output = await send({ method: 'POST', url: origin }, { allow: ['127.0.0.1'], deadlineMs: SHORT_MS })
    .output;
  expect(textIn(output)).toMatch(/\n\nslow\n\[truncated: the request timed out after 4 bytes\]$/);
});

test('an address that is refused is an error, and nothing is sent', async () => {
  const output = await send({ method: 'POST', url: origin }, {}).output;
  expect(output).toMatchObject({ isError: true });
  expect(textIn(output)).toBe('The request was not sent. 127.0.0.1 is not at a public address.');
  expect(seen).toEqual([]);
});

test('a header that may not be set is an error, and nothing is sent', async () => {
  const output = await send({ url: origin, headers: { Host: 'other.example' } }).output;
  expect(textIn(output)).toBe('The request was not sent. The header host cannot be set.');
  expect(seen).toEqual([]);
});

test('a server that cannot be reached is an error, also for a request that is sent once', async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  const output = await send({ method: 'DELETE', url: origin }).output;
  expect(output.isError).toBe(true);
  expect(textIn(output)).toBe('The request was not sent. No connection to 127.0.0.1 could be established.');
});

test('a connection that breaks before a response leaves the outcome of a POST unknown', async () => {
  answer = (request) => request.socket.destroy();
  await expect(send({ method: 'POST', url: origin }).output).rejects.toMatchObject({
    constructor: OutcomeUnknownError,
    code: 'connection_lost',
  });
  expect(seen).toHaveLength(1);
});

test('a connection that breaks before a response is an error for a GET, which may be repeated', async () => {
  answer = (request) => request.socket.destroy();
  const output = await send({ url: origin }).output;
  expect(output.isError).toBe(true);
  expect(textIn(output)).toBe('127.0.0.1 closed the connection without a response.');
});

test('a server that never responds is handled in the same way', async () => {
  answer = () => undefined;
  const policy = { allow: ['127.0.0.1'], deadlineMs: SHORT_MS };
  const [read, write] = await Promise.allSettled([
    send({ url: origin }, policy).output,
    send({ method: 'PUT', url: origin }, policy).output,
  ]);
  expect(read).toEqual({
    status: 'fulfilled',
    value: { content: [{ type: 'text', text: '127.0.0.1 did not respond in time.' }], isError: true },
  });
  expect(write).toMatchObject({
    status: 'rejected',
    reason: { constructor: OutcomeUnknownError, code: 'answer_timeout' },
  });
});

test('a turn that stops closes the connection and rejects with its own reason', async () => {
  const reason = new Error('the turn stops');
  const turn = new AbortController();
  const closed = new Promise<void>((resolve) => {
    answer = (request) => {
      request.socket.on('close', () => resolve());
      turn.abort(reason);
    };
  });
  const call = callOf('http_request', { url: origin });
  await expect(runnerWith().run(scope, call, turnContext(turn.signal))).rejects.toBe(reason);
  await closed;
});

test.each([
  ['method', { method: 'CONNECT', url: 'https://a.example' }],
  ['url', { url: '' }],
  ['url', { url: `https://a.example/${'x'.repeat(8_000)}` }],
  ['body', { url: 'https://a.example', body: 'x'.repeat(256_001) }],
  ['headers.a', { url: 'https://a.example', headers: { a: 'x'.repeat(8_001) } }],
  ['input', { url: 'https://a.example', follow: true }],
])('a request with an invalid %s is refused with the path', async (path, input) => {
  const output = await send(input).output;
  expect(output.isError).toBe(true);
  expect(textIn(output)).toMatch(new RegExp(`^Invalid input: ${path}: `));
});
