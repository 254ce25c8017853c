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

test('what is not known is counted, each tenant and each cap by itself', () => {
  expect(limitToEnforce()).toBe(1_000);
  room.added('waiting', 'a', 0);
  expect(limitToEnforce()).toBeNull();
  expect(limitToEnforce('b')).toBe(1_000);
  expect(room.limitToEnforce('sessions', 'a', limits)).toBe(limits.max_sessions);
});

test('all are counted as soon as others could have filled the room in a second, and one before', () => {
  room.added('waiting', 'a', 500);
  const isCounted = Array.from({ length: 400 }, () => {
    const counted = limitToEnforce() !== null;
    room.added('waiting', 'a', null);
    return counted;
  });
  // 501 are known, and twice the rate of a second may be on its way elsewhere, or twice that for the first.
  const all = 1_000 - 200 - 501;
  const first = all - 200;
  expect(isCounted).toEqual(isCounted.map((_counted, place) => place === first || place >= all));
});

test('a count is believed for as long as the rate leaves room, and no longer', () => {
  room.added('waiting', 'a', 99);
  jest.advanceTimersByTime(2_000);
  expect(limitToEnforce()).toBeNull();
  jest.advanceTimersByTime(2_000);
  expect([limitToEnforce(), limitToEnforce()]).toEqual([1_000, null]);
  jest.advanceTimersByTime(500);
  expect([limitToEnforce(), limitToEnforce()]).toEqual([1_000, 1_000]);
});

test('whoever counts before it must be spares the others from it', () => {
  room.added('waiting', 'a', 99);
  jest.advanceTimersByTime(4_000);
  expect(limitToEnforce()).toBe(1_000);
  room.added('waiting', 'a', 99);
  jest.advanceTimersByTime(500);
  expect(limitToEnforce()).toBeNull();
});

test('a cap that is smaller than what comes in a second is always counted', () => {
  const small = { ...limits, max_queued_turns: 10 };
  room.added('waiting', 'a', 0);
  expect(room.limitToEnforce('waiting', 'a', small)).toBe(10);
});

test('a cap that an operator lowers holds at once', () => {
  room.added('waiting', 'a', 300);
  expect(limitToEnforce()).toBeNull();
  expect(room.limitToEnforce('waiting', 'a', { ...limits, max_queued_turns: 400 })).toBe(400);
});
