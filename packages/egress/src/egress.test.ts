import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterEach, expect, test } from '@jest/globals';
import { createEgress, EGRESS_METHODS, type EgressMethod, type EgressRequest } from './egress.ts';
import { EgressRefusedError, EgressUnreachableError } from './errors.ts';
import type { EgressPolicy } from './policy.ts';
import { caught } from './testing/caught.ts';
import { answerOf, type RawServer, type Script, startRawServer } from './testing/raw-server.ts';

/** Long enough for a busy machine to connect to itself. */
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

test('an answer is given as it came: status, joined headers, body', async () => {
  const head = 'X-One: 1\r\nset-cookie: a\r\nSet-Cookie: b\r\n__proto__: x\r\nconstructor: y\r\n';
  const server = await start({ onRequest: (socket) => socket.end(answerOf('grüße', head)) });
  const answer = await sendTo(server);
  expect(answer).toMatchObject({ status: 200, truncated: false, bodyEnd: 'complete' });
  expect(answer.headers).toMatchObject({
    'x-one': '1',
    'set-cookie': 'a, b',
    constructor: 'y',
    'content-length': '7',
  });
  expect(textOf(answer)).toBe('grüße');
});

test('the request says what it was given, asks for no compression and is the last on its connection', async () => {
  const server = await start({ onRequest: (socket) => socket.end(answerOf('')) });
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

test.each(EGRESS_METHODS.map((method) => [method]))(
  '%s is sent as such, with bytes or without',
  async (method) => {
    const server = await start({ onRequest: (socket) => socket.end('HTTP/1.1 204 None\r\n\r\n') });
    await sendTo(server, { method });
    await sendTo(server, { method, body: new Uint8Array([1, 2, 255]) });
    expect(server.received[0]).toMatch(new RegExp(`^${method} / HTTP/1.1\r\n`));
    expect(server.received[1]?.split('\r\n\r\n')[1]).toBe('\x01\x02\xff');
  },
);

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

test.each([301, 302, 303, 307, 308])(
  'a %i is an answer, and where it points is not asked',
  async (status) => {
    const other = await start({ onRequest: (socket) => socket.end(answerOf('elsewhere')) });
    const location = `http://127.0.0.1:${other.port}/`;
    const server = await start({
      onRequest: (socket) =>
        socket.end(`HTTP/1.1 ${status} Go\r\nlocation: ${location}\r\ncontent-length: 0\r\n\r\n`),
    });
    expect(await sendTo(server)).toMatchObject({ status, headers: { location } });
    expect(server.connections).toBe(1);
    expect(other.connections).toBe(0);
  },
);

test('a second answer on the connection is not taken for anything', async () => {
  const server = await start({ onRequest: (socket) => socket.end(answerOf('one') + answerOf('two')) });
  expect(textOf(await sendTo(server))).toBe('one');
});

test('every request has a connection of its own, even where the server would keep it', async () => {
  const server = await start({
    onRequest: (socket) => socket.write(answerOf('a', 'connection: keep-alive\r\n')),
  });
  const egress = createEgress({ allow: ['127.0.0.1'] });
  for (let count = 0; count < 3; count += 1) {
    await egress.send({ method: 'GET', url: `http://127.0.0.1:${server.port}/` });
  }
  expect(server.connections).toBe(3);
});

function flood(piece: string): Script {
  return {
    onRequest(socket) {
      const pour = (): void => {
        while (!socket.destroyed && socket.write(piece));
        socket.once('drain', pour);
      };
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n');
      pour();
    },
  };
}

test.each([
  ['in large pieces', `8000\r\n${'x'.repeat(0x8000)}\r\n`],
  ['a byte at a time', '1\r\nx\r\n'.repeat(10_000)],
])('a server that sends without end, %s, is cut at the bound and let go', async (_how, piece) => {
  const server = await start(flood(piece));
  const answer = await sendTo(server, {}, { maxResponseBytes: 100_000 });
  expect(answer).toMatchObject({ status: 200, truncated: true, bodyEnd: 'size_limit' });
  expect(textOf(answer)).toBe('x'.repeat(100_000));
  await server.firstClosed;
});

test('a body of just the bound is whole, and a request cannot raise the policy’s bound', async () => {
  const server = await start({ onRequest: (socket) => socket.end(answerOf('0123456789')) });
  const policy = { maxResponseBytes: 10 };
  expect(await sendTo(server, {}, policy)).toMatchObject({ truncated: false, bodyEnd: 'complete' });
  const cut = await sendTo(server, { maxResponseBytes: 9 }, policy);
  expect({ text: textOf(cut), end: cut.bodyEnd }).toEqual({ text: '012345678', end: 'size_limit' });
  const still = await sendTo(server, { maxResponseBytes: 1_000 }, { maxResponseBytes: 4 });
  expect({ text: textOf(still), end: still.bodyEnd }).toEqual({ text: '0123', end: 'size_limit' });
});

test.each([
  ['a length that is not reached', 'content-length: 10\r\n\r\nhalf'],
  ['a last chunk that is missing', 'transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
  ['a chunk that is cut', 'transfer-encoding: chunked\r\n\r\n8\r\nhalf'],
  [
    'a chunk that is cut, having said close',
    'connection: close\r\ntransfer-encoding: chunked\r\n\r\n8\r\nhalf',
  ],
])('a body with %s is not taken for a whole one', async (_what, rest) => {
  const server = await start({ onRequest: (socket) => socket.end(`HTTP/1.1 200 OK\r\n${rest}`) });
  const answer = await sendTo(server, { method: 'POST' });
  expect(answer).toMatchObject({ status: 200, truncated: true, bodyEnd: 'connection_lost' });
  expect(textOf(answer)).toBe('half');
});

test.each([
  ['of a stated length', 'content-length: 10\r\n\r\nhalf'],
  ['in chunks', 'connection: close\r\ntransfer-encoding: chunked\r\n\r\n8\r\nhalf'],
  ['of no stated length', '\r\nhalf'],
  ['of no stated length, having said close', 'connection: close\r\n\r\nhalf'],
])('a body %s that a reset cuts is not taken for a whole one', async (_what, rest) => {
  const server = await start({
    onConnect(socket) {
      socket.once('data', () => {
        // What is left unread makes the system reset the connection instead of closing it.
        socket.pause();
        // Only once the answer was read: a reset that comes with the last bytes looks like an end.
        onceHeadIsRead(() => socket.destroy());
        socket.write(`HTTP/1.1 200 OK\r\n${rest}`);
      });
    },
  });
  const answer = await sendTo(server, { method: 'POST', body: 'x'.repeat(5_000_000) });
  expect(answer).toMatchObject({ status: 200, truncated: true, bodyEnd: 'connection_lost' });
});

function onceHeadIsRead(act: () => void): void {
  const listener = (): void => {
    unsubscribe('undici:request:headers', listener);
    setImmediate(act);
  };
  subscribe('undici:request:headers', listener);
}

test('a body of no stated length is whole when the connection is closed in order', async () => {
  const server = await start({ onRequest: (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nall of it') });
  const answer = await sendTo(server);
  expect({ text: textOf(answer), end: answer.bodyEnd }).toEqual({ text: 'all of it', end: 'complete' });
});

test('an early answer to a long request is taken, though the rest was not wanted', async () => {
  const server = await start({
    onConnect: (socket) =>
      socket.once('data', () => socket.write('HTTP/1.1 413 No\r\ncontent-length: 2\r\n\r\nno')),
  });
  const answer = await sendTo(server, { method: 'POST', body: 'x'.repeat(20_000_000) });
  expect({ status: answer.status, text: textOf(answer) }).toEqual({ status: 413, text: 'no' });
});

const HANGS: [string, Script][] = [
  ['before the head', {}],
  ['inside the head', { onRequest: (socket) => socket.write('HTTP/1.1 200 OK\r\nx-one:') }],
  ['after early hints', { onRequest: (socket) => socket.write('HTTP/1.1 103 Early Hints\r\n\r\n') }],
];

test.each(HANGS)(
  'a server that hangs %s is given up at the deadline, its outcome unknown',
  async (_where, script) => {
    const server = await start(script);
    const failure = await caught(sendTo(server, { method: 'POST', deadlineMs: SHORT_MS }));
    expect(failure).toMatchObject({ name: 'OutcomeUnknownError', code: 'answer_timeout' });
    await server.firstClosed;
  },
);

test.each(HANGS)(
  'a server that hangs %s is given up when it was silent for too long',
  async (_where, script) => {
    const server = await start(script);
    const failure = await caught(sendTo(server, { method: 'POST' }, { idleTimeoutMs: 50 }));
    expect(failure).toMatchObject({ name: 'OutcomeUnknownError', code: 'answer_timeout' });
  },
);

test.each([
  ['deadline', { deadlineMs: SHORT_MS }],
  ['longest silence', { idleTimeoutMs: 50 }],
])('a server that hangs inside the body gives what came by the %s', async (_which, policy) => {
  const server = await start({
    onRequest: (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf'),
  });
  const answer = await sendTo(server, {}, policy);
  expect(answer).toMatchObject({ status: 200, truncated: true, bodyEnd: 'timeout' });
  expect(textOf(answer)).toBe('half');
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
])(
  'a server that hangs in the TLS handshake is given up at %s, and nothing was sent',
  async (_which, policy) => {
    const server = await start({});
    const url = `https://127.0.0.1:${server.port}/path`;
    const failure = await caught(sendTo(server, { method: 'POST', url, body: 'x' }, policy));
    expect(failure).toMatchObject({ constructor: EgressUnreachableError, code: 'connect_timeout' });
  },
);

test('a request cannot raise the policy’s deadline', async () => {
  const server = await start({});
  const url = `https://127.0.0.1:${server.port}/`;
  const failure = await caught(sendTo(server, { url, deadlineMs: 3_000_000 }, { deadlineMs: 50 }));
  expect(failure).toMatchObject({ code: 'connect_timeout' });
});

test.each(['before', 'lookup', 'handshake', 'head', 'body'])(
  'an abort at the stage "%s" ends it at once with its own reason',
  async (stage) => {
    const reason = new Error('the turn stops');
    const turn = new AbortController();
    const abort = (): void => turn.abort(reason);
    const server = await start({
      onConnect: () => stage === 'handshake' && abort(),
      onRequest(socket) {
        if (stage === 'head') abort();
        // The head is on its way before the abort: it may or may not be seen, the reason is the same.
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

test('an abort after the answer changes nothing and leaves no listener behind', async () => {
  const server = await start({ onRequest: (socket) => socket.end(answerOf('fine')) });
  const turn = new AbortController();
  const answer = await sendTo(server, { signal: turn.signal });
  turn.abort();
  expect(textOf(answer)).toBe('fine');
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
])('a policy that cannot be read, such as %j, is not taken', (policy) => {
  expect(() => createEgress(policy as EgressPolicy)).toThrow();
});

/** An answer with these bytes, said to be compressed so. */
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
])('an answer that is compressed unasked, by %s, is decompressed', async (coding, bytes) => {
  const answer = await sendTo(await start(compressed(coding, bytes)));
  expect(textOf(answer)).toBe('grüße');
  expect(answer.bodyEnd).toBe('complete');
  if (coding !== 'identity') expect(answer.headers).not.toHaveProperty('content-encoding');
});

test('what an answer is decompressed to is bounded, however small it came', async () => {
  const bomb = gzipSync(Buffer.alloc(200_000_000));
  const before = process.memoryUsage().arrayBuffers;
  const answer = await sendTo(await start(compressed('gzip', bomb)), { maxResponseBytes: 1_000 });
  expect(answer).toMatchObject({ truncated: true, bodyEnd: 'size_limit' });
  expect(answer.body).toHaveLength(1_000);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50_000_000);
});

test.each([
  ['is no such thing', 'gzip', Buffer.from('grüße'), ''],
  ['is cut', 'gzip', gzipSync('x'.repeat(10_000)).subarray(0, 30), 'x'],
])('an answer that %s, and said to be compressed, is not whole', async (_what, coding, bytes, begins) => {
  const answer = await sendTo(await start(compressed(coding, bytes)));
  expect(answer).toMatchObject({ status: 200, truncated: true, bodyEnd: 'undecodable' });
  expect(textOf(answer).startsWith(begins)).toBe(true);
});

test('an answer in a coding that nobody here knows is given as it came, and says so', async () => {
  const answer = await sendTo(await start(compressed('zstd', Buffer.from('bytes'))));
  expect(answer.headers).toMatchObject({ 'content-encoding': 'zstd' });
  expect(textOf(answer)).toBe('bytes');
});
