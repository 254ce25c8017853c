import { expect, test } from '@jest/globals';
import { limitCall } from './limit-call.ts';

const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

test('the deadline of a call that nothing waits for keeps no process from its end', () => {
  const before = timers();
  const limit = limitCall(new AbortController().signal, 60_000);
  expect(timers()).toBe(before);
  limit.release();
});

test('a call ends at its deadline', async () => {
  const limit = limitCall(new AbortController().signal, 10);
  const holding = setTimeout(() => undefined, 10_000);
  await expect(limit.ended).rejects.toThrow('The deadline of the tool call passed.');
  clearTimeout(holding);
  expect(limit.expired()).toBe(true);
  limit.release();
});
