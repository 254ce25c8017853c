import { expect, test } from '@jest/globals';
import { RequestMemory } from './request-memory.ts';
import { startScriptedApi, textMessage } from './testing/scripted-api.ts';
import { callTestModel, testModel } from './testing/test-model.ts';

const MB = 1_000_000;
const never = new AbortController().signal;

/** Requests of one memory: who holds room, and how to end one. */
function requestsOf(memory: RequestMemory) {
  const holding = new Map<string, () => void>();
  return {
    get holding() {
      return [...holding.keys()];
    },
    async ask(name: string, tenant: string, megabytes: number, signal = never): Promise<void> {
      const release = await memory.hold(tenant, megabytes * MB, signal);
      holding.set(name, release);
    },
    async end(name: string): Promise<void> {
      holding.get(name)?.();
      holding.delete(name);
      await Promise.resolve();
      await Promise.resolve();
    },
  };
}

const newMemory = () => requestsOf(new RequestMemory({ ofTenant: 60 * MB, ofAll: 100 * MB }));

test('a hundred large requests are never in memory together, and each gets its turn', async () => {
  const memory = new RequestMemory({ ofTenant: 60 * MB, ofAll: 100 * MB });
  let held = 0;
  let most = 0;
  const one = async (index: number): Promise<void> => {
    const release = await memory.hold(`tenant ${index % 3}`, 20 * MB, never);
    held += 20;
    most = Math.max(most, held);
    await new Promise(setImmediate);
    held -= 20;
    release();
    // Twice is once.
    release();
  };
  await Promise.all(Array.from({ length: 100 }, (_none, index) => one(index)));
  expect(most).toBe(100);
});

test('a tenant that has its share waits, while another one goes on', async () => {
  const requests = newMemory();
  await requests.ask('a1', 'a', 30);
  await requests.ask('a2', 'a', 30);
  const third = requests.ask('a3', 'a', 30);
  await requests.ask('b1', 'b', 30);
  expect(requests.holding).toEqual(['a1', 'a2', 'b1']);
  await requests.end('a1');
  await third;
  expect(requests.holding).toEqual(['a2', 'b1', 'a3']);
});

test('a large one is not passed by smaller ones for ever, and one that is too large goes alone', async () => {
  const requests = newMemory();
  await requests.ask('small', 'a', 50);
  const huge = requests.ask('huge', 'b', 500);
  const next = requests.ask('next', 'c', 10);
  expect(requests.holding).toEqual(['small']);
  await requests.end('small');
  await huge;
  expect(requests.holding).toEqual(['huge']);
  await requests.end('huge');
  await next;
});

test('one that gives up leaves the line, and takes nothing', async () => {
  const requests = newMemory();
  await requests.ask('a', 'a', 60);
  const ending = new AbortController();
  const given = requests.ask('b', 'b', 60, ending.signal);
  const behind = requests.ask('c', 'c', 40);
  ending.abort(new Error('The turn was cancelled.'));
  await expect(given).rejects.toThrow('The turn was cancelled.');
  await behind;
  expect(requests.holding).toEqual(['a', 'c']);
  await expect(requests.ask('late', 'd', 1, ending.signal)).rejects.toThrow();
});

test('small requests are not counted', async () => {
  const requests = newMemory();
  await requests.ask('all', 'a', 100);
  await requests.ask('small', 'b', 0.1);
  expect(requests.holding).toEqual(['all', 'small']);
});

test('a large request is sent when there is room, and its turn is parked where there is none in time', async () => {
  const api = await startScriptedApi((_request, index) =>
    index === 0 ? { silent: true } : { body: textMessage('Seen.'), after: 'hang' },
  );
  const { model } = testModel(api.url, { requestMemory: { ofTenant: 500_000, ofAll: 500_000 } });
  const data = Buffer.alloc(300_000).toString('base64');
  const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data } };
  const large = { request: { messages: [{ role: 'user' as const, content: [image] }] } };
  const ending = new AbortController();
  const first = callTestModel(model, { ...large, signal: ending.signal }).response;
  await api.asked;
  const second = callTestModel(model, large).response;
  // Others go on meanwhile, and one that has no time for it counts no attempt.
  await callTestModel(model).response;
  await expect(callTestModel(model, { ...large, stepTimeoutMs: 50 }).response).rejects.toMatchObject({
    code: 'model_busy',
    retryAfterMs: expect.any(Number),
    attempts: 0,
  });
  expect(api.received).toHaveLength(2);
  ending.abort(new Error('The turn was cancelled.'));
  await expect(first).rejects.toThrow('The turn was cancelled.');
  await second;
  await callTestModel(model, large).response;
  expect(api.received).toHaveLength(4);
  await model.close();
  await api.close();
});
