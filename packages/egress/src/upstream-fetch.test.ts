import { afterEach, expect, test } from '@jest/globals';
import { caught } from './testing/caught.ts';
import { responseWith, type RawServer, type Script, startRawServer } from './testing/raw-server.ts';
import { createUpstreamFetch, type UpstreamFetch, type UpstreamFetchSettings } from './upstream-fetch.ts';

const opened: (RawServer | UpstreamFetch)[] = [];

async function open(script: Script, settings: Partial<UpstreamFetchSettings> = {}) {
  const server = await startRawServer(script);
  const upstream = createUpstreamFetch({ idleTimeoutMs: 60_000, ...settings });
  opened.unshift(upstream, server);
  return { server, upstream, url: `http://127.0.0.1:${server.port}/` };
}

afterEach(async () => {
  for (const thing of opened.splice(0)) await thing.close();
});

test('a private address of the operator is reached, and the response can be read', async () => {
  const { upstream, url, server } = await open({ onRequest: (socket) => socket.end(responseWith('fine')) });
  const response = await upstream.fetch(url, {
    method: 'POST',
    body: 'hello',
    headers: { 'x-api-key': 'k' },
  });
  expect({ status: response.status, text: await response.text() }).toEqual({ status: 200, text: 'fine' });
  expect(server.received[0]).toMatch(/^POST \/ [^]*x-api-key: k[^]*hello$/);
});

test('a redirect is not followed, so that a key is not sent to another origin', async () => {
  const other = await open({ onRequest: (socket) => socket.end(responseWith('elsewhere')) });
  const { upstream, url } = await open({
    onRequest: (socket) =>
      socket.end(`HTTP/1.1 307 Go\r\nlocation: ${other.url}\r\ncontent-length: 0\r\n\r\n`),
  });
  const response = await upstream.fetch(url, { redirect: 'follow', headers: { 'x-api-key': 'k' } });
  expect(response.status).toBe(307);
  expect(other.server.connections).toBe(0);
});

test('a response with an invalid status is an error, and its connection is closed before the body ends', async () => {
  const { upstream, url, server } = await open({
    onRequest: (socket) =>
      socket.write(`HTTP/1.1 999 What\r\ncontent-length: 9000000\r\n\r\n${'x'.repeat(200_000)}`),
  });
  await expect(upstream.fetch(url)).rejects.toThrow('The request failed.');
  await server.firstClosed;
});

test.each([
  'HTTP/1.1 999 What\r\ncontent-length: 4\r\n\r\nwhat',
  'HTTP/1.1 204 No\r\n\r\n',
  'HTTP/1.1 502 Bad\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nwhat',
])('an unexpected response affects no other request: %j', async (sent) => {
  const { upstream, url, server } = await open({ onRequest: (socket) => socket.end(sent) });
  const ends = await Promise.allSettled([upstream.fetch(url)]);
  for (const end of ends) if (end.status === 'fulfilled') await end.value.text();
  // The connection of an unread response is closed.
  await server.firstClosed;
});

test.each([
  ['before the head', ''],
  ['inside the body', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf'],
])('silence %s ends the request', async (_where, sent) => {
  const { upstream, url } = await open({ onRequest: (socket) => socket.write(sent) }, { idleTimeoutMs: 50 });
  const read = async (): Promise<string> => (await upstream.fetch(url)).text();
  await expect(read()).rejects.toThrow();
});

test('a response longer than the limit is an error', async () => {
  const { upstream, url } = await open(
    { onRequest: (socket) => socket.end(responseWith('12345')) },
    { maxResponseBytes: 4 },
  );
  const read = async (): Promise<string> => (await upstream.fetch(url)).text();
  await expect(read()).rejects.toThrow();
});

test('closing ends the running requests', async () => {
  let onArrival = (): void => undefined;
  const arrived = new Promise<void>((resolve) => {
    onArrival = resolve;
  });
  const { upstream, url, server } = await open({ onRequest: () => onArrival() });
  const failure = caught(upstream.fetch(url));
  await arrived;
  await upstream.close();
  expect(await failure).toHaveProperty('message');
  await server.firstClosed;
});
