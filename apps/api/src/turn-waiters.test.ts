import { expect, test } from '@jest/globals';
import { TurnWaiters } from './turn-waiters.ts';

/** Longer than any test: a test that waits for it has failed. */
const LONG_MS = 600_000;
const neverAborts = new AbortController().signal;

function enter(waiters: TurnWaiters, turnId = 'turn_1', waitMs = LONG_MS, signal = neverAborts) {
  const waiter = waiters.enter(turnId, waitMs, signal);
  if (waiter === null) throw new Error('No more clients may wait.');
  return waiter;
}

/** True where it is still pending after everything that was due has run. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const turnOfTheLoop = new Promise((resolve) => setImmediate(() => resolve('pending')));
  return (await Promise.race([promise, turnOfTheLoop])) === 'pending';
}

test('a waiter is woken by a change of its turn, and of no other', async () => {
  const waiters = new TurnWaiters();
  const [one, other] = [enter(waiters, 'turn_1'), enter(waiters, 'turn_2')];
  const [ofOne, ofOther] = [one.next(), other.next()];
  waiters.wake('turn_1');
  expect(await ofOne).toBe('changed');
  expect(await isPending(ofOther)).toBe(true);
  one.leave();
  other.leave();
});

test('every waiter of a turn is woken', async () => {
  const waiters = new TurnWaiters();
  const crowd = Array.from({ length: 100 }, () => enter(waiters));
  const next = Promise.all(crowd.map((waiter) => waiter.next()));
  waiters.wake('turn_1');
  expect(new Set(await next)).toEqual(new Set(['changed']));
  for (const waiter of crowd) waiter.leave();
  expect(waiters.count).toBe(0);
});

test('a change between entering and waiting is not missed', async () => {
  const waiters = new TurnWaiters();
  const waiter = enter(waiters);
  waiters.wake('turn_1');
  expect(await waiter.next()).toBe('changed');
  waiter.leave();
});

test('a change between two waits is not missed, and reported once', async () => {
  const waiters = new TurnWaiters();
  const waiter = enter(waiters);
  const first = waiter.next();
  waiters.wake('turn_1');
  await first;
  waiters.wake('turn_1');
  waiters.wake('turn_1');
  expect(await waiter.next()).toBe('changed');
  expect(await isPending(waiter.next())).toBe(true);
  waiter.leave();
});

test('a wait ends when its time has passed', async () => {
  const waiters = new TurnWaiters();
  const waiter = enter(waiters, 'turn_1', 20);
  expect(await waiter.next()).toBe('over');
  expect(await waiter.next()).toBe('over');
  waiter.leave();
});

test('a wait that is woken again and again still ends', async () => {
  const waiters = new TurnWaiters();
  const waiter = enter(waiters, 'turn_1', 50);
  const waking = setInterval(() => waiters.wake('turn_1'), 1);
  while ((await waiter.next()) === 'changed');
  clearInterval(waking);
  waiter.leave();
  expect(waiters.count).toBe(0);
});

test('a wait ends when the client disconnects', async () => {
  const waiters = new TurnWaiters();
  const client = new AbortController();
  const waiter = enter(waiters, 'turn_1', LONG_MS, client.signal);
  const next = waiter.next();
  client.abort();
  expect(await next).toBe('over');
  waiter.leave();
});

test('a client that disconnected before it entered does not wait', async () => {
  const waiter = enter(new TurnWaiters(), 'turn_1', LONG_MS, AbortSignal.abort());
  expect(await waiter.next()).toBe('over');
  waiter.leave();
});

test('a waiter that left is not counted or woken, and may leave twice', async () => {
  const waiters = new TurnWaiters();
  const [one, other] = [enter(waiters), enter(waiters)];
  expect(waiters.count).toBe(2);
  one.leave();
  one.leave();
  expect(waiters.count).toBe(1);
  const next = one.next();
  waiters.wake('turn_1');
  expect(await isPending(next)).toBe(true);
  other.leave();
  expect(waiters.count).toBe(0);
});

test('after signals were lost every waiter is woken', async () => {
  const waiters = new TurnWaiters();
  const crowd = Array.from({ length: 20 }, (_, n) => enter(waiters, `turn_${n}`));
  const next = Promise.all(crowd.map((waiter) => waiter.next()));
  waiters.wakeAll();
  expect(new Set(await next)).toEqual(new Set(['changed']));
  for (const waiter of crowd) waiter.leave();
});

test('once closed, waiters are released and new ones refused', async () => {
  const waiters = new TurnWaiters();
  const [waiting, entered] = [enter(waiters), enter(waiters)];
  const next = waiting.next();
  waiters.close();
  expect(await next).toBe('over');
  expect(await entered.next()).toBe('over');
  expect(waiters.enter('turn_1', LONG_MS, neverAborts)).toBeNull();
  waiting.leave();
  entered.leave();
});

test('at most twenty thousand wait at once', () => {
  const waiters = new TurnWaiters();
  const crowd = Array.from({ length: 20_000 }, (_, n) =>
    enter(waiters, `turn_${n}`, LONG_MS, new AbortController().signal),
  );
  expect(waiters.enter('turn_1', LONG_MS, neverAborts)).toBeNull();
  crowd.pop()?.leave();
  crowd.push(enter(waiters));
  for (const waiter of crowd) waiter.leave();
  expect(waiters.count).toBe(0);
});
