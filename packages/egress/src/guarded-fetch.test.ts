import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, expect, test } from '@jest/globals';
import { EgressRefusedError } from './errors.ts';
import { createGuardedFetch } from './guarded-fetch.ts';
import type { EgressPolicy } from './policy.ts';
import { caught } from './testing/caught.ts';
import { CERTIFICATE } from './testing/certificate.ts';
import { responseWith, type RawServer, type Script, startRawServer } from './testing/raw-server.ts';
import type { UpstreamFetch } from './upstream-fetch.ts';

const opened: (RawServer | UpstreamFetch)[] = [];
afterEach(async () => {
  for (const resource of opened.splice(0)) await resource.close();
});

async function start(script: Script = {}): Promise<RawServer> {
  const server = await startRawServer({
    onRequest: (socket) => socket.write(responseWith('fine')),
    ...script,
  });
  opened.push(server);
  return server;
}

function open(policy: EgressPolicy = {}): UpstreamFetch {
  const guarded = createGuardedFetch(policy);
  opened.unshift(guarded);
  return guarded;
}

/** The refusal that was thrown, or is the cause of what was thrown. */
async function refusalOf(request: Promise<unknown>): Promise<unknown> {
  const error = await caught(request);
  return error instanceof EgressRefusedError ? error : (error as Error).cause;
}

const LOOPBACK = { allow: ['127.0.0.1'] };

test('an allowed address is reached, and the response can be read as a stream', async () => {
  let more = (): void => undefined;
  const server = await start({
    onRequest: (socket) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-one: 1\r\n\r\n3\r\none\r\n');
      more = () => socket.write('3\r\ntwo\r\n0\r\n\r\n');
    },
  });
  const { fetch } = open(LOOPBACK);
  const response = await fetch(`http://127.0.0.1:${server.port}/v1?a=b`, {
    method: 'post',
    body: 'hello',
    headers: { 'x-api-key': 'k' },
  });
  expect([response.status, response.headers.get('x-one')]).toEqual([200, '1']);
  const chunks: string[] = [];
  for await (const chunk of response.body ?? []) {
    chunks.push(Buffer.from(chunk).toString());
    more();
  }
  expect(chunks).toEqual(['one', 'two']);
  expect(server.received[0]).toMatch(
    /^POST \/v1\?a=b HTTP[^]*x-api-key: k[^]*accept-encoding: identity[^]*hello$/,
  );
});

test.each([
  ['http://127.0.0.1:PORT/', []],
  ['http://[::ffff:127.0.0.1]:PORT/', []],
  ['http://2130706433:PORT/', []],
  ['http://169.254.169.254/', []],
  ['http://10.0.0.1/', []],
  ['http://gateway.example:PORT/', ['127.0.0.1']],
  ['http://gateway.example:PORT/', ['8.8.8.8', '127.0.0.1']],
  ['http://gateway.example:PORT/', ['169.254.169.254']],
])('%s with the addresses %j is refused, and no connection is made', async (url, addresses) => {
  const server = await start();
  const { fetch } = open({ lookup: () => Promise.resolve(addresses) });
  const refused = await refusalOf(fetch(url.replace('PORT', String(server.port))));
  expect(refused).toMatchObject({ code: 'address_refused' });
  expect(server.connections).toBe(0);
});

test.each([
  'ftp://gateway.example/',
  'http://me:pass@gateway.example/',
  'http://gateway.example:25/',
  'nonsense',
])('the URL %s is refused before a look-up', async (url) => {
  const lookups: string[] = [];
  const { fetch } = open({ lookup: (name) => (lookups.push(name), Promise.resolve(['8.8.8.8'])) });
  expect(await caught(fetch(url))).toBeInstanceOf(EgressRefusedError);
  expect(lookups).toEqual([]);
});

test('DNS rebinding has no effect: a reused connection keeps its address, a new one is checked', async () => {
  const ports: (number | undefined)[] = [];
  let waiting: ServerResponse | undefined;
  const good = createServer((request, response) => {
    ports.push(request.socket.remotePort);
    if (request.url === '/slow') waiting = response;
    else response.end('fine');
    response.flushHeaders();
  });
  await new Promise<void>((resolve) => good.listen(0, '127.0.0.1', resolve));
  const { port } = good.address() as AddressInfo;
  const evil = await start({ host: '127.0.0.2', port });
  const records = [['127.0.0.1'], ['127.0.0.2']];
  const { fetch } = open({ ...LOOPBACK, lookup: () => Promise.resolve(records.shift() ?? ['127.0.0.2']) });
  const url = `http://gateway.example:${port}/`;
  try {
    for (let call = 0; call < 3; call++) {
      expect(await (await fetch(url)).text()).toBe('fine');
      // The connection returns to the pool just after the end of the body was read.
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect([new Set(ports).size, records.length]).toEqual([1, 1]);

    // While the only connection is in use, a second one is needed.
    const slow = await fetch(`${url}slow`);
    expect(await refusalOf(fetch(url))).toMatchObject({ code: 'address_refused' });
    expect(evil.connections).toBe(0);
    waiting?.end('late');
    expect(await slow.text()).toBe('late');
  } finally {
    good.closeAllConnections();
    good.close();
  }
});

test('a redirect is returned, and not followed', async () => {
  const other = await start();
  const server = await start({
    onRequest: (socket) =>
      socket.write(
        `HTTP/1.1 307 Go\r\nlocation: http://127.0.0.1:${other.port}/\r\ncontent-length: 0\r\n\r\n`,
      ),
  });
  const { fetch } = open(LOOPBACK);
  const response = await fetch(`http://127.0.0.1:${server.port}/`, { redirect: 'follow' });
  expect(response.status).toBe(307);
  expect(other.connections).toBe(0);
});

test('a response is not decompressed, so that a small one stays small', async () => {
  const packed = gzipSync('x'.repeat(100_000));
  const server = await start({
    onRequest: (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${packed.length}\r\n\r\n`);
      socket.write(packed);
    },
  });
  const response = await open(LOOPBACK).fetch(`http://127.0.0.1:${server.port}/`);
  expect((await response.arrayBuffer()).byteLength).toBe(packed.length);
});

test.each([
  ['sends nothing', ''],
  ['stops inside the body', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf'],
])('a request to a server that %s ends at the idle timeout', async (_what, sent) => {
  const server = await start({ onRequest: (socket) => socket.write(sent) });
  const { fetch } = open({ ...LOOPBACK, idleTimeoutMs: 50 });
  const read = async (): Promise<string> => (await fetch(`http://127.0.0.1:${server.port}/`)).text();
  await expect(read()).rejects.toThrow();
});

test('a response longer than the limit is an error', async () => {
  const server = await start({ onRequest: (socket) => socket.write(responseWith('12345')) });
  const { fetch } = open({ ...LOOPBACK, maxResponseBytes: 4 });
  const read = async (): Promise<string> => (await fetch(`http://127.0.0.1:${server.port}/`)).text();
  await expect(read()).rejects.toThrow();
});

test.each(['HTTP/1.1 999 What\r\ncontent-length: 0\r\n\r\n', 'HTTP/1.1 204 No\r\n\r\n'])(
  'an empty or unknown status is handled: %j',
  async (head) => {
    const server = await start({ onRequest: (socket) => socket.write(head) });
    const response = await open(LOOPBACK)
      .fetch(`http://127.0.0.1:${server.port}/`)
      .then(
        ({ status }) => status,
        (error: Error) => error.name,
      );
    expect([204, 'RangeError']).toContain(response);
  },
);

test('the signal ends a request, before the head and inside the body', async () => {
  for (const sent of ['', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf']) {
    const stopping = new AbortController();
    const server = await start({
      onRequest: (socket) => {
        socket.write(sent);
        setTimeout(() => stopping.abort(), 20);
      },
    });
    const { fetch } = open(LOOPBACK);
    const read = async (): Promise<string> =>
      (await fetch(`http://127.0.0.1:${server.port}/`, { signal: stopping.signal })).text();
    await expect(read()).rejects.toThrow();
    await server.firstClosed;
  }
});

test('the certificate is verified against the requested name', async () => {
  const server = await start({ tls: true });
  const lookup = (): Promise<string[]> => Promise.resolve(['127.0.0.1']);
  const trusting = open({ ...LOOPBACK, lookup, ca: CERTIFICATE });
  expect(await (await trusting.fetch(`https://tenant.example:${server.port}/`)).text()).toBe('fine');
  for (const { fetch } of [open({ ...LOOPBACK, lookup }), trusting]) {
    const host = fetch === trusting.fetch ? 'other.example' : 'tenant.example';
    await expect(fetch(`https://${host}:${server.port}/`)).rejects.toThrow();
  }
  expect(server.received.filter((text) => text !== '')).toHaveLength(1);
});
