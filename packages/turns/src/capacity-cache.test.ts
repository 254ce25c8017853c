import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { DEFAULT_LIMITS } from '@turnpike/contract';
import { CapacityCache } from './capacity-cache.ts';

const limits = { ...DEFAULT_LIMITS, requests_per_second: 100, max_queued_turns: 1_000 };
let room: CapacityCache;
const limitToEnforce = (tenantId = 'a') => room.limitToEnforce('waiting', tenantId, limits);

beforeEach(() => {
  jest.useFakeTimers();
  room = new CapacityCache();
});
afterEach(() => {
  jest.useRealTimers();
});

test('a tenant and cap without a known count is counted', () => {
  expect(limitToEnforce()).toBe(1_000);
  room.added('waiting', 'a', 0);
  expect(limitToEnforce()).toBeNull();
  expect(limitToEnforce('b')).toBe(1_000);
  expect(room.limitToEnforce('sessions', 'a', limits)).toBe(limits.max_sessions);
});

test('all are counted as soon as other processes could reach the cap within a second, and one is counted before that', () => {
  room.added('waiting', 'a', 500);
  const isCounted = Array.from({ length: 400 }, () => {
    const counted = limitToEnforce() !== null;
    room.added('waiting', 'a', null);
    return counted;
  });
  // 501 are known, and twice the rate of a second may be added elsewhere, or twice that for the first.
  const all = 1_000 - 200 - 501;
  const first = all - 200;
  expect(isCounted).toEqual(isCounted.map((_counted, index) => index === first || index >= all));
});

test('a count is believed for as long as the rate limit cannot have reached the cap', () => {
  room.added('waiting', 'a', 99);
  jest.advanceTimersByTime(2_000);
  expect(limitToEnforce()).toBeNull();
  jest.advanceTimersByTime(2_000);
  expect([limitToEnforce(), limitToEnforce()]).toEqual([1_000, null]);
  jest.advanceTimersByTime(500);
  expect([limitToEnforce(), limitToEnforce()]).toEqual([1_000, 1_000]);
});

test('one early count spares the others from counting', () => {
  room.added('waiting', 'a', 99);
  jest.advanceTimersByTime(4_000);
  expect(limitToEnforce()).toBe(1_000);
  room.added('waiting', 'a', 99);
  jest.advanceTimersByTime(500);
  expect(limitToEnforce()).toBeNull();
});

test('a cap below the rate limit is always counted', () => {
  const small = { ...limits, max_queued_turns: 10 };
  room.added('waiting', 'a', 0);
  expect(room.limitToEnforce('waiting', 'a', small)).toBe(10);
});

test('a cap that the operator lowers holds at once', () => {
  room.added('waiting', 'a', 300);
  expect(limitToEnforce()).toBeNull();
  expect(room.limitToEnforce('waiting', 'a', { ...limits, max_queued_turns: 400 })).toBe(400);
});

test('while one counts, the others wait for it, and then need not', async () => {
  const first = await room.startCount('waiting', 'a', limits);
  expect(first.limit).toBe(1_000);
  const others = Promise.all([1, 2, 3].map(() => room.startCount('waiting', 'a', limits)));
  room.added('waiting', 'a', 0);
  first.end();
  expect((await others).map(({ limit }) => limit)).toEqual([null, null, null]);
});

test('where the one that counted was refused, those that waited for it count for themselves', async () => {
  const first = await room.startCount('waiting', 'a', limits);
  const others = Promise.all([1, 2].map(() => room.startCount('waiting', 'a', limits)));
  first.end();
  expect((await others).map(({ limit }) => limit)).toEqual([1_000, 1_000]);
});
