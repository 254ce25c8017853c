import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { DEFAULT_LIMITS } from '@turnpike/contract';
import { TenantRoom } from './tenant-room.ts';

const limits = { ...DEFAULT_LIMITS, requests_per_second: 100, max_queued_turns: 1_000 };
let room: TenantRoom;
const capFor = (tenantId = 'a') => room.capFor('waiting', tenantId, limits);

beforeEach(() => {
  jest.useFakeTimers();
  room = new TenantRoom();
});
afterEach(() => {
  jest.useRealTimers();
});

test('what is not known is counted, each tenant and each cap by itself', () => {
  expect(capFor()).toBe(1_000);
  room.added('waiting', 'a', 0);
  expect(capFor()).toBeNull();
  expect(capFor('b')).toBe(1_000);
  expect(room.capFor('sessions', 'a', limits)).toBe(limits.max_sessions);
});

test('all are counted as soon as others could have filled the room in a second, and one before', () => {
  room.added('waiting', 'a', 500);
  const isCounted = Array.from({ length: 400 }, () => {
    const counted = capFor() !== null;
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
  expect(capFor()).toBeNull();
  jest.advanceTimersByTime(2_000);
  expect([capFor(), capFor()]).toEqual([1_000, null]);
  jest.advanceTimersByTime(500);
  expect([capFor(), capFor()]).toEqual([1_000, 1_000]);
});

test('whoever counts before it must be spares the others from it', () => {
  room.added('waiting', 'a', 99);
  jest.advanceTimersByTime(4_000);
  expect(capFor()).toBe(1_000);
  room.added('waiting', 'a', 99);
  jest.advanceTimersByTime(500);
  expect(capFor()).toBeNull();
});

test('a cap that is smaller than what comes in a second is always counted', () => {
  const small = { ...limits, max_queued_turns: 10 };
  room.added('waiting', 'a', 0);
  expect(room.capFor('waiting', 'a', small)).toBe(10);
});

test('a cap that an operator lowers holds at once', () => {
  room.added('waiting', 'a', 300);
  expect(capFor()).toBeNull();
  expect(room.capFor('waiting', 'a', { ...limits, max_queued_turns: 400 })).toBe(400);
});
