import { connect, type Socket } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { untilTrue } from '../../../tests/support/until-true.ts';
import { MAX_BODY_BYTES, startTestApi, type TestApi, type Client } from './testing/test-api.ts';

let api: TestApi;
const sockets: Socket[] = [];

beforeAll(async () => {
  api = await startTestApi(await createTestDatabase(), { backplaneUrl: process.env['TEST_REDIS_URL'] });
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});
afterAll(() => api.stop());

/** Begins a POST by hand, so that its body can come in pieces or not at all. */
function begin(apiKey: string, headers: Record<string, string>): { socket: Socket; response(): string } {
  const socket = connect(Number(new URL(api.url).port), '127.0.0.1');
  sockets.push(socket);
  let text = '';
  socket.on('data', (piece) => (text += piece.toString())).on('error', () => undefined);
  const lines = Object.entries({
    Host: 'turnpike',
    Authorization: `Bearer ${apiKey}`,
    'Content-Type': 'application/json',
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`POST /v1/agents HTTP/1.1\r\n${lines.join('')}\r\n`);
  return { socket, response: () => text };
}

const agentOf = (bytes: number): string => {
  const empty = JSON.stringify({ name: 'a', model: 'm', system: '' });
  return JSON.stringify({ name: 'a', model: 'm', system: 'x'.repeat(bytes - empty.length) });
};
const large = agentOf(150_000);
const post = ({ http }: Client) => http.post('/v1/agents').set('Content-Type', 'application/json');

test('a body that is too large is refused with the limit named, before a byte of it is sent', async () => {
  const { response } = begin(api.client.apiKey, { 'Content-Length': String(MAX_BODY_BYTES + 1) });
  await untilTrue('it is refused', () => response().includes('\r\n\r\n{'));
  expect(response()).toMatch(/^HTTP\/1\.1 413 /);
  expect(response()).toContain(`larger than ${MAX_BODY_BYTES} bytes`);
});

test.each([
  ['gzip', gzipSync],
  ['deflate', deflateSync],
  ['br', brotliCompressSync],
])(
  'a body compressed with %s is accepted up to the limit, and refused above it',
  async (encoding, compress) => {
    const send = (text: string) => {
      const asItIs = ((body: Buffer) => body) as unknown as (body: unknown) => string;
      return post(api.client).set('Content-Encoding', encoding).serialize(asItIs).send(compress(text));
    };
    expect((await send(large)).status).toBe(201);
    const refused = await send(agentOf(MAX_BODY_BYTES + 1));
    expect(refused.body).toMatchObject({
      code: 'body_too_large',
      detail: expect.stringContaining('1048576'),
    });
  },
);

test('a request without a key gets its response before a byte of its body is sent', async () => {
  const { response } = begin('tp_live_nobody', { 'Content-Length': String(MAX_BODY_BYTES) });
  await untilTrue('it is refused', () => response().startsWith('HTTP/1.1 401 '));
});

test('bodies in flight of one tenant hold at most half of the memory, and other tenants are not affected', async () => {
  const other = await api.addTenant();
  const full = { 'Content-Length': String(MAX_BODY_BYTES) };
  const held = [begin(api.client.apiKey, full), begin(api.client.apiKey, full)];
  await untilTrue('their memory is reserved', () => api.bodies.bytes === 2 * MAX_BODY_BYTES);

  const refused = await post(api.client).send(large).expect(429);
  expect(refused.body.code).toBe('too_many_bodies');
  expect(refused.headers['retry-after']).toBe('1');
  await post(other).send(large).expect(201);

  held[0]?.socket.destroy();
  await untilTrue(
    'the memory of a disconnected client is released',
    () => api.bodies.bytes === MAX_BODY_BYTES,
  );
  await post(api.client).send(large).expect(201);
});

test('all tenants together hold no more than the bound', async () => {
  const tenants = [await api.addTenant(), await api.addTenant(), await api.addTenant()];
  for (const { apiKey } of [...tenants.slice(0, 2), ...tenants.slice(0, 2)])
    begin(apiKey, { 'Content-Length': String(MAX_BODY_BYTES) });
  await untilTrue('all memory is reserved', () => api.bodies.bytes === 4 * MAX_BODY_BYTES);
  for (const tenant of tenants) {
    const refused = await post(tenant).send(large).expect(429);
    expect(refused.body.code).toBe('too_many_bodies');
  }
});

test('a body of unknown length is reserved as it arrives', async () => {
  const { socket, response } = begin(api.client.apiKey, { 'Transfer-Encoding': 'chunked' });
  const text = agentOf(100_000);
  const half = text.length / 2;
  socket.write(`${half.toString(16)}\r\n${text.slice(0, half)}\r\n`);
  await untilTrue('the first half is reserved', () => api.bodies.bytes === half);
  socket.write(`${half.toString(16)}\r\n${text.slice(half)}\r\n0\r\n\r\n`);
  await untilTrue('it is accepted', () => response().startsWith('HTTP/1.1 201 '));
  await untilTrue('its memory is released', () => api.bodies.bytes === 0);
});

test('a client that disconnects in the middle of a body leaves no memory reserved and no internal error', async () => {
  const parts: [Record<string, string>, Buffer][] = [
    [{}, Buffer.from(large)],
    [{ 'Content-Encoding': 'gzip' }, gzipSync(large)],
  ];
  for (const [headers, body] of parts) {
    const half = body.subarray(0, body.length / 2);
    const { socket } = begin(api.client.apiKey, { ...headers, 'Transfer-Encoding': 'chunked' });
    socket.write(Buffer.concat([Buffer.from(`${half.length.toString(16)}\r\n`), half]));
    await untilTrue('a part of the body was read', () => api.bodies.bytes > 0);
    socket.destroy();
    await untilTrue('its memory is released', () => api.bodies.bytes === 0);
  }
  expect(api.logLines.filter((line) => line.includes('"level":"error"'))).toEqual([]);
});
