import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterEach, expect, test } from '@jest/globals';
import { createEgress, EGRESS_METHODS, type EgressMethod, type EgressRequest } from './egress.ts';
import { EgressRefusedError, EgressUnreachableError } from './errors.ts';
import type { EgressPolicy } from './policy.ts';
import { caught } from './testing/caught.ts';
import { responseWith, type RawServer, type Script, startRawServer } from './testing/raw-server.ts';

/** Long enough to connect to itself on a busy machine. */
const SHORT_MS = 1_500;
const servers: RawServer[] = [];

async function start(script: Script): Promise<RawServer> {
  const server = await startRawServer(script);
  servers.push(server);
  return server;
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

function sendTo(server: RawServer, request: Partial<EgressRequest> = {}, policy: EgressPolicy = {}) {
  const url = `http://127.0.0.1:${server.port}/`;
  return createEgress({ allow: ['127.0.0.1'], ...policy }).send({ method: 'GET', url, ...request });
}

function textOf({ body }: { body: Uint8Array }): string {
  return Buffer.from(body).toString();
}

test('a response is returned with status, joined headers and body', async () => {
  const head = 'X-One: 1\r\nset-cookie: a\r\nSet-Cookie: b\r\n__proto__: x\r\nconstructor: y\r\n';
  const server = await start({ onRequest: (socket) => socket.end(responseWith('grüße', head)) });
  const response = await sendTo(server);
  expect(response).toMatchObject({ status: 200, truncated: false, bodyEnd: 'complete' });
  expect(response.headers).toMatchObject({
    'x-one': '1',
    'set-cookie': 'a, b',
    constructor: 'y',
    'content-length': '7',
  });
  expect(textOf(response)).toBe('grüße');
});

test('the request is sent as given, asks for no compression and closes its connection', async () => {
  const server = await start({ onRequest: (socket) => socket.end(responseWith('')) });
  const url = `http://127.0.0.1:${server.port}/a%20b/?q=ü&c=%0d%0a#fragment`;
  await sendTo(server, { method: 'POST', url, headers: { 'X-One': '1' }, body: 'grüße' });
  const [head, body] = (server.received[0] ?? '').split('\r\n\r\n');
  const lines = (head ?? '').split('\r\n');
  expect(lines[0]).toBe('POST /a%20b/?q=%C3%BC&c=%0d%0a HTTP/1.1');
  expect(
    lines
      .slice(1)
      .map((line) => line.toLowerCase())
      .toSorted(),
  ).toEqual([
    'accept-encoding: identity',
    'connection: close',
    'content-length: 7',
    `host: 127.0.0.1:${server.port}`,
    'x-one: 1',
  ]);
  expect(Buffer.from(body ?? '', 'latin1').toString()).toBe('grüße');
});

test.each(EGRESS_METHODS.map((method) => [method]))('%s is sent, with a body or without', async (method) => {
  const server = await start({ onRequest: (socket) => socket.end('HTTP/1.1 204 None\r\n\r\n') });
  await sendTo(server, { method });
  await sendTo(server, { method, body: new Uint8Array([1, 2, 255]) });
  expect(server.received[0]).toMatch(new RegExp(`^${method} / HTTP/1.1\r\n`));
  expect(server.received[1]?.split('\r\n\r\n')[1]).toBe('\x01\x02\xff');
});

test.each(['CONNECT', 'TRACE', 'get', '', 'GET / HTTP/1.1\r\nhost: a\r\n\r\nGET'])(
  'the method %j is refused',
  async (method) => {
    const server = await start({});
    const failure = await caught(sendTo(server, { method: method as EgressMethod }));
    expect(failure).toMatchObject({ constructor: EgressRefusedError, code: 'method_refused' });
    expect(server.connections).toBe(0);
  },
);

test.each([
  { Host: 'other.example' },
  { 'transfer-encoding': 'chunked' },
  { 'x-a': 'b\r\nhost: c' },
  { 'x-a\r\nb': 'c' },
])('with the headers %j nothing is sent', async (headers) => {
  const server = await start({});
  const failure = await caught(sendTo(server, { headers }));
  expect(failure).toMatchObject({ constructor: EgressRefusedError, code: 'header_refused' });
  expect(server.connections).toBe(0);
});

test.each([301, 302, 303, 307, 308])('a %i is returned, and not followed', async (status) => {
  const other = await start({ onRequest: (socket) => socket.end(responseWith('elsewhere')) });
  const location = `http://127.0.0.1:${other.port}/`;
  const server = await start({
    onRequest: (socket) =>
      socket.end(`HTTP/1.1 ${status} Go\r\nlocation: ${location}\r\ncontent-length: 0\r\n\r\n`),
  });
  expect(await sendTo(server)).toMatchObject({ status, headers: { location } });
  expect(server.connections).toBe(1);
  expect(other.connections).toBe(0);
});

test('a second response on the connection is ignored', async () => {
  const server = await start({
    onRequest: (socket) => socket.end(responseWith('one') + responseWith('two')),
  });
  expect(textOf(await sendTo(server))).toBe('one');
});

test('every request opens a new connection, even if the server would keep it open', async () => {
  const server = await start({
    onRequest: (socket) => socket.write(responseWith('a', 'connection: keep-alive\r\n')),
  });
  const egress = createEgress({ allow: ['127.0.0.1'] });
  for (let count = 0; count < 3; count += 1) {
    await egress.send({ method: 'GET', url: `http://127.0.0.1:${server.port}/` });
  }
  expect(server.connections).toBe(3);
});

function flood(chunk: string): Script {
  return {
    onRequest(socket) {
      const pour = (): void => {
        while (!socket.destroyed && socket.write(chunk));
        socket.once('drain', pour);
      };
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
      pour();
    },
  };
}

test.each([
  ['in large chunks', `8000\r\n${'x'.repeat(0x8000)}\r\n`],
  ['a byte at a time', '1\r\nx\r\n'.repeat(10_000)],
])('a server that sends without end, %s, is truncated at the limit and disconnected', async (_how, chunk) => {
  const server = await start(flood(chunk));
  const response = await sendTo(server, {}, { maxResponseBytes: 100_000 });
  expect(response).toMatchObject({ status: 200, truncated: true, bodyEnd: 'size_limit' });
  expect(textOf(response)).toBe('x'.repeat(100_000));
  await server.firstClosed;
});

test('a body of exactly the limit is complete, and a request cannot raise the policy’s limit', async () => {
  const server = await start({ onRequest: (socket) => socket.end(responseWith('0123456789')) });
  const policy = { maxResponseBytes: 10 };
  expect(await sendTo(server, {}, policy)).toMatchObject({ truncated: false, bodyEnd: 'complete' });
  const lower = await sendTo(server, { maxResponseBytes: 9 }, policy);
  expect({ text: textOf(lower), end: lower.bodyEnd }).toEqual({ text: '012345678', end: 'size_limit' });
  const higher = await sendTo(server, { maxResponseBytes: 1_000 }, { maxResponseBytes: 4 });
  expect({ text: textOf(higher), end: higher.bodyEnd }).toEqual({ text: '0123', end: 'size_limit' });
});

test.each([
  ['fewer bytes than its length', 'content-length: 10\r\n\r\nhalf'],
  ['a missing last chunk', 'transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
  ['a truncated chunk', 'transfer-encoding: chunked\r\n\r\n8\r\nhalf'],
  [
    'a truncated chunk and connection: close',
    'connection: close\r\ntransfer-encoding: chunked\r\n\r\n8\r\nhalf',
  ],
])('a body with %s is not reported as complete', async (_what, rest) => {
  const server = await start({ onRequest: (socket) => socket.end(`HTTP/1.1 200 OK\r\n${rest}`) });
  const response = await sendTo(server, { method: 'POST' });
  expect(response).toMatchObject({ status: 200, truncated: true, bodyEnd: 'connection_lost' });
  expect(textOf(response)).toBe('half');
});

test.each([
  ['with a length', 'content-length: 10\r\n\r\nhalf'],
  ['in chunks', 'connection: close\r\ntransfer-encoding: chunked\r\n\r\n8\r\nhalf'],
  ['without a length', '\r\nhalf'],
  ['without a length, with connection: close', 'connection: close\r\n\r\nhalf'],
])('a body %s that a reset truncates is not reported as complete', async (_what, rest) => {
  const server = await start({
    onConnect(socket) {
      socket.once('data', () => {
        // Unread data makes the system reset the connection instead of closing it.
        socket.pause();
        // Only after the head was read: a reset that arrives with the last bytes looks like an end.
        onceHeadIsRead(() => socket.destroy());
        socket.write(`HTTP/1.1 200 OK\r\n${rest}`);
      });
    },
  });
  const response = await sendTo(server, { method: 'POST', body: 'x'.repeat(5_000_000) });
  expect(response).toMatchObject({ status: 200, truncated: true, bodyEnd: 'connection_lost' });
});

function onceHeadIsRead(act: () => void): void {
  const listener = (): void => {
    unsubscribe('undici:request:headers', listener);
    setImmediate(act);
  };
  subscribe('undici:request:headers', listener);
}

test('a body without a length is complete if the connection is closed normally', async () => {
  const server = await start({ onRequest: (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nall of it') });
  const response = await sendTo(server);
  expect({ text: textOf(response), end: response.bodyEnd }).toEqual({ text: 'all of it', end: 'complete' });
});

test('an early response to a long request is returned before the request is complete', async () => {
  const server = await start({
    onConnect: (socket) =>
      socket.once('data', () => socket.write('HTTP/1.1 413 No\r\ncontent-length: 2\r\n\r\nno')),
  });
  const response = await sendTo(server, { method: 'POST', body: 'x'.repeat(20_000_000) });
  expect({ status: response.status, text: textOf(response) }).toEqual({ status: 413, text: 'no' });
});

const HANGS: [string, Script][] = [
  ['before the head', {}],
  ['inside the head', { onRequest: (socket) => socket.write('HTTP/1.1 200 OK\r\nx-one:') }],
  ['after early hints', { onRequest: (socket) => socket.write('HTTP/1.1 103 Early Hints\r\n\r\n') }],
];

test.each(HANGS)(
  'a request to a server that hangs %s ends at the deadline with an unknown outcome',
  async (_where, script) => {
    const server = await start(script);
    const failure = await caught(sendTo(server, { method: 'POST', deadlineMs: SHORT_MS }));
    expect(failure).toMatchObject({ name: 'OutcomeUnknownError', code: 'answer_timeout' });
    await server.firstClosed;
  },
);

test.each(HANGS)('a request to a server that hangs %s ends at the idle timeout', async (_where, script) => {
  const server = await start(script);
  const failure = await caught(sendTo(server, { method: 'POST' }, { idleTimeoutMs: 50 }));
  expect(failure).toMatchObject({ name: 'OutcomeUnknownError', code: 'answer_timeout' });
});

test.each([
  ['deadline', { deadlineMs: SHORT_MS }],
  ['idle timeout', { idleTimeoutMs: 50 }],
])('a body that hangs is returned as far as it came by the %s', async (_which, policy) => {
  const server = await start({
    onRequest: (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf'),
  });
  const response = await sendTo(server, {}, policy);
  expect(response).toMatchObject({ status: 200, truncated: true, bodyEnd: 'timeout' });
  expect(textOf(response)).toBe('half');
  await server.firstClosed;
});

test('early hints without end and headers without end do not outlast the bounds', async () => {
  const forever = (text: string): Script => ({
    onRequest(socket) {
      const pour = (): void => {
        while (!socket.destroyed && socket.write(text.repeat(100)));
        socket.once('drain', pour);
      };
      pour();
    },
  });
  const hints = await start(forever('HTTP/1.1 103 Early Hints\r\n\r\n'));
  const headers = await start({
    onRequest(socket) {
      socket.write('HTTP/1.1 200 OK\r\n');
      forever('x-a: b\r\n').onRequest?.(socket, '');
    },
  });
  const [late, large] = await Promise.all([
    caught(sendTo(hints, { deadlineMs: SHORT_MS })),
    caught(sendTo(headers)),
  ]);
  expect(late).toMatchObject({ code: 'answer_timeout' });
  expect(large).toMatchObject({ name: 'OutcomeUnknownError', code: 'answer_invalid' });
});

test.each([
  ['the connect timeout', { connectTimeoutMs: 50 }],
  ['the deadline', { deadlineMs: 50 }],
])('a TLS handshake that hangs ends at %s, and nothing was sent', async (_which, policy) => {
  const server = await start({});
  const url = `https://127.0.0.1:${server.port}/path`;
  const failure = await caught(sendTo(server, { method: 'POST', url, body: 'x' }, policy));
  expect(failure).toMatchObject({ constructor: EgressUnreachableError, code: 'connect_timeout' });
});

test('a request cannot raise the policy’s deadline', async () => {
  const server = await start({});
  const url = `https://127.0.0.1:${server.port}/`;
  const failure = await caught(sendTo(server, { url, deadlineMs: 3_000_000 }, { deadlineMs: 50 }));
  expect(failure).toMatchObject({ code: 'connect_timeout' });
});

test.each(['before', 'lookup', 'handshake', 'head', 'body'])(
  'an abort at the stage "%s" rejects at once with its reason',
  async (stage) => {
    const reason = new Error('the turn stops');
    const turn = new AbortController();
    const abort = (): void => turn.abort(reason);
    const server = await start({
      onConnect: () => stage === 'handshake' && abort(),
      onRequest(socket) {
        if (stage === 'head') abort();
        // The head is sent before the abort: whether it arrives or not, the reason is the same.
        else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf', abort);
      },
    });
    if (stage === 'before') abort();
    const lookup = (): Promise<string[]> => {
      if (stage !== 'lookup') return Promise.resolve(['127.0.0.1']);
      abort();
      return new Promise(() => undefined);
    };
    const url = `${stage === 'handshake' ? 'https' : 'http'}://tenant.example:${server.port}/`;
    const request = sendTo(
      server,
      { url, signal: turn.signal },
      { lookup, connectTimeoutMs: 3_600_000, deadlineMs: 3_600_000 },
    );
    await expect(request).rejects.toBe(reason);
    if (stage === 'head' || stage === 'body') await server.firstClosed;
    if (stage === 'before' || stage === 'lookup') expect(server.connections).toBe(0);
  },
);

test('an abort after the response changes nothing', async () => {
  const server = await start({ onRequest: (socket) => socket.end(responseWith('fine')) });
  const turn = new AbortController();
  const response = await sendTo(server, { signal: turn.signal });
  turn.abort();
  expect(textOf(response)).toBe('fine');
});

test.each([
  { deadlineMs: 0 },
  { deadlineMs: 1.5 },
  { maxResponseBytes: 0 },
  { ports: [0] },
  { schemes: ['ftp'] },
  { lookup: 'system' },
  { allow: ['not an address'] },
  { allowed: [] },
])('an invalid policy such as %j is rejected', (policy) => {
  expect(() => createEgress(policy as EgressPolicy)).toThrow();
});

/** A response with these bytes and this content-encoding. */
function compressed(coding: string, bytes: Buffer, head = ''): Script {
  return {
    onRequest: (socket) => {
      socket.write(
        `HTTP/1.1 200 OK\r\ncontent-length: ${bytes.length}\r\ncontent-encoding: ${coding}\r\n${head}\r\n`,
      );
      socket.end(bytes);
    },
  };
}

test.each([
  ['gzip', gzipSync('grüße')],
  ['GZIP', gzipSync('grüße')],
  ['deflate', deflateSync('grüße')],
  ['br', brotliCompressSync('grüße')],
  ['gzip, br', brotliCompressSync(gzipSync('grüße'))],
  ['identity', Buffer.from('grüße')],
])('a response that is compressed without being asked, with %s, is decompressed', async (coding, bytes) => {
  const response = await sendTo(await start(compressed(coding, bytes)));
  expect(textOf(response)).toBe('grüße');
  expect(response.bodyEnd).toBe('complete');
  if (coding !== 'identity') expect(response.headers).not.toHaveProperty('content-encoding');
});

test('the decompressed size of a response is limited', async () => {
  const bomb = gzipSync(Buffer.alloc(200_000_000));
  const before = process.memoryUsage().arrayBuffers;
  const response = await sendTo(await start(compressed('gzip', bomb)), { maxResponseBytes: 1_000 });
  expect(response).toMatchObject({ truncated: true, bodyEnd: 'size_limit' });
  expect(response.body).toHaveLength(1_000);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50_000_000);
});

test.each([
  ['is not compressed', 'gzip', Buffer.from('grüße'), ''],
  ['is truncated', 'gzip', gzipSync('x'.repeat(10_000)).subarray(0, 30), 'x'],
])('a response that claims to be compressed and %s is not complete', async (_what, coding, bytes, prefix) => {
  const response = await sendTo(await start(compressed(coding, bytes)));
  expect(response).toMatchObject({ status: 200, truncated: true, bodyEnd: 'undecodable' });
  expect(textOf(response).startsWith(prefix)).toBe(true);
});

test('a response in an unknown coding is returned unchanged, with its content-encoding', async () => {
  const response = await sendTo(await start(compressed('zstd', Buffer.from('bytes'))));
  expect(response.headers).toMatchObject({ 'content-encoding': 'zstd' });
  expect(textOf(response)).toBe('bytes');
});
