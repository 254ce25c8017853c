import { afterEach, expect, test } from '@jest/globals';
import { caught } from './testing/caught.ts';
import { answerOf, type RawServer, type Script, startRawServer } from './testing/raw-server.ts';
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

test('an operator’s own address is reached, and its answer can be read as a stream', async () => {
  const { upstream, url, server } = await open({ onRequest: (socket) => socket.end(answerOf('fine')) });
  const answer = await upstream.fetch(url, { method: 'POST', body: 'hello', headers: { 'x-api-key': 'k' } });
  expect({ status: answer.status, text: await answer.text() }).toEqual({ status: 200, text: 'fine' });
  expect(server.received[0]).toMatch(/^POST \/ [^]*x-api-key: k[^]*hello$/);
});

test('a redirect is not followed, so that a key does not travel', async () => {
  const other = await open({ onRequest: (socket) => socket.end(answerOf('elsewhere')) });
  const { upstream, url } = await open({
    onRequest: (socket) =>
      socket.end(`HTTP/1.1 307 Go\r\nlocation: ${other.url}\r\ncontent-length: 0\r\n\r\n`),
  });
  const answer = await upstream.fetch(url, { redirect: 'follow', headers: { 'x-api-key': 'k' } });
  expect(answer.status).toBe(307);
  expect(other.server.connections).toBe(0);
});

test('an answer with a status that no answer has is let go, with all that it still has to say', async () => {
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
])('an answer that was not to be expected ends nothing but itself: %j', async (said) => {
  const { upstream, url, server } = await open({ onRequest: (socket) => socket.end(said) });
  const ends = await Promise.allSettled([upstream.fetch(url)]);
  for (const end of ends) if (end.status === 'fulfilled') await end.value.text();
  // What nobody reads is let go.
  await server.firstClosed;
});

test.each([
  ['before the head', ''],
  ['inside the body', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf'],
])('silence %s ends it', async (_where, said) => {
  const { upstream, url } = await open({ onRequest: (socket) => socket.write(said) }, { idleTimeoutMs: 50 });
  const read = async (): Promise<string> => (await upstream.fetch(url)).text();
  await expect(read()).rejects.toThrow();
});

test('an answer that is longer than the bound is an error', async () => {
  const { upstream, url } = await open(
    { onRequest: (socket) => socket.end(answerOf('12345')) },
    { maxResponseBytes: 4 },
  );
  const read = async (): Promise<string> => (await upstream.fetch(url)).text();
  await expect(read()).rejects.toThrow();
});

test('to close it ends what is under way', async () => {
  let asked = (): void => undefined;
  const arrived = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const { upstream, url, server } = await open({ onRequest: () => asked() });
  const under = caught(upstream.fetch(url));
  await arrived;
  await upstream.close();
  expect(await under).toHaveProperty('message');
  await server.firstClosed;
});
