import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createTestDatabase } from '../../../tests/support/test-database.ts';
import { startTestApi, type TestApi } from './testing/test-api.ts';
import { readTrustedProxies } from './trust-proxy.ts';

test.each([
  ['', false],
  ['0', false],
  ['2', 2],
  ['loopback', ['loopback']],
  [' 10.0.0.0/8, uniquelocal,::1 ', ['10.0.0.0/8', 'uniquelocal', '::1']],
  ['fd00::/8', ['fd00::/8']],
])('%j says which proxies are trusted', (text, trusted) => {
  expect(readTrustedProxies(text)).toEqual(trusted);
});

test.each([
  'true',
  '*',
  '0.0.0.0/0',
  '::/0',
  '17',
  '-1',
  '1.5',
  '10.0.0.0/33',
  '10.0.0/8',
  'proxy.internal',
  '1,10.0.0.1',
])('%j is refused', (text) => {
  expect(readTrustedProxies(text)).toBeNull();
});

let direct: TestApi;
let behind: TestApi;
beforeAll(async () => {
  [direct, behind] = await Promise.all([
    startTestApi(await createTestDatabase()),
    startTestApi(await createTestDatabase(), { trustProxy: 1 }),
  ]);
});
afterAll(() => Promise.all([direct, behind].map((api) => api.stop())));

test('the log has the client address from a trusted proxy, and never one that a client claimed', async () => {
  for (const [api, address] of [
    [direct, '127.0.0.1'],
    [behind, '203.0.113.7'],
  ] as const) {
    await api.client.http.get('/v1/agents').set('X-Forwarded-For', '198.51.100.1, 203.0.113.7').expect(200);
    const line = api.logLines.find((each) => each.includes('"route":"/v1/agents"')) ?? '{}';
    expect(JSON.parse(line)).toMatchObject({ message: 'Request.', client_address: address });
  }
});
