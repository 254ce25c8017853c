import { expect, test } from '@jest/globals';
import { ownThreadId, threadTimeMs } from './thread-time.ts';

const isLinux = process.platform === 'linux';

test("a thread's time is what it worked, not what passed", async () => {
  const threadId = ownThreadId();
  if (!isLinux || threadId === null) return;
  const before = threadTimeMs(threadId) ?? NaN;
  const workUntil = process.cpuUsage().user + 50_000;
  while (process.cpuUsage().user < workUntil);
  const worked = (threadTimeMs(threadId) ?? NaN) - before;
  expect(worked).toBeGreaterThan(5);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect((threadTimeMs(threadId) ?? NaN) - before - worked).toBeLessThan(250);
});

test('the time of a thread that is not there is unknown', () => {
  expect(threadTimeMs(2 ** 30)).toBeNull();
});
