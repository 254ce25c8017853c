import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createCallGuard } from '@turnpike/egress';
import type { GuardedModel } from './create-model.ts';
import { startScriptedApi, textMessage } from './testing/scripted-api.ts';
import { callTestModel, countTestTokens, testModel, type LoggedLine } from './testing/test-model.ts';

/* All room for large requests is taken by one that never leaves: a file of it is never read to its end. */

const LARGE = { type: 'base64', media_type: 'image/png', data: 'A'.repeat(300_000) };
const FILE = { type: 'file', file_id: 'file_1', media_type: 'image/png', bytes: 3_000 };
const asking = (...sources: object[]) => ({
  request: {
    messages: [{ role: 'user' as const, content: sources.map((source) => ({ type: 'image', source })) }],
  },
});

let api: Awaited<ReturnType<typeof startScriptedApi>>;
let model: GuardedModel;
let logged: LoggedLine[];
let first: Promise<unknown>;
beforeEach(async () => {
  api = await startScriptedApi(({ path }) =>
    path === '/v1/messages'
      ? { body: textMessage('Hello.') }
      : { headers: { 'content-type': 'application/json' }, body: '{"input_tokens":5}' },
  );
  let reads = (): void => undefined;
  const isRead = new Promise<void>((resolve) => (reads = resolve));
  const never = new Promise<never>(() => undefined);
  ({ model, logged } = testModel(api.url, {
    requestMemory: { ofTenant: 1_000_000, ofAll: 300_000 },
    guard: createCallGuard({ slots: 1, maxWaiting: 0, minCalls: 100_000 }),
    limits: { countTimeoutMs: 200 },
    files: {
      open: async () => ({
        async *read() {
          yield new Uint8Array(3);
          reads();
          await never;
        },
      }),
    },
  }));
  first = callTestModel(model, asking(LARGE, FILE)).response.catch(() => undefined);
  await isRead;
});
afterEach(async () => {
  await model.close();
  await first;
  await api.close();
});

test('a request that waits for room takes no slot of its key from others', async () => {
  const tenantId = 'ten_2';
  const turn = new AbortController();
  const waits = callTestModel(model, { tenantId, signal: turn.signal, ...asking(LARGE) }).response;
  const ended = waits.catch((error: unknown) => error);
  expect(await callTestModel(model, { tenantId }).response).toMatchObject({ attempts: 1 });
  turn.abort(new Error('over'));
  expect(await ended).toMatchObject({ message: 'over' });
});

test('a count for which there is no room says nothing about its key', async () => {
  const tenantId = 'ten_2';
  expect(await countTestTokens(model, { tenantId, ...asking(LARGE) })).toBeNull();
  expect(await countTestTokens(model, { tenantId })).toBe(5);
  expect(logged.filter(({ message }) => message.includes('Tokens were not counted'))).toEqual([]);
});
