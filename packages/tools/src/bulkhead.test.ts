import { expect, jest, test } from '@jest/globals';
import { Bulkhead } from './bulkhead.ts';

const never = new AbortController().signal;

async function take(bulkhead: Bulkhead, signal = never): Promise<() => void> {
  const leave = await bulkhead.enter(signal);
  if (leave === null) throw new Error('no room');
  return leave;
}

test('a call beyond the places waits, and gets the next place that comes free, first come first served', async () => {
  const bulkhead = new Bulkhead({ places: 1, maxWaiting: 2, maxWaitMs: 60_000 });
  const leave = await take(bulkhead);
  const order: string[] = [];
  const second = take(bulkhead).then((next) => {
    order.push('second');
    next();
  });
  const third = take(bulkhead).then((next) => {
    order.push('third');
    next();
  });
  expect(order).toEqual([]);
  leave();
  await Promise.all([second, third]);
  expect(order).toEqual(['second', 'third']);
  await take(bulkhead);
});

test('where too many wait already, there is no room at once', async () => {
  const bulkhead = new Bulkhead({ places: 1, maxWaiting: 1, maxWaitMs: 60_000 });
  const leave = await take(bulkhead);
  const waiting = take(bulkhead);
  expect(await bulkhead.enter(never)).toBeNull();
  leave();
  (await waiting)();
});

test('a wait ends after its time, and the place is not lost', async () => {
  const bulkhead = new Bulkhead({ places: 1, maxWaiting: 8, maxWaitMs: 5 });
  const leave = await take(bulkhead);
  expect(await bulkhead.enter(never)).toBeNull();
  leave();
  await take(bulkhead);
});

test('a signal ends a wait at once with its reason, and the place goes to the next', async () => {
  const bulkhead = new Bulkhead({ places: 1, maxWaiting: 8, maxWaitMs: 60_000 });
  const leave = await take(bulkhead);
  const controller = new AbortController();
  const remove = jest.spyOn(controller.signal, 'removeEventListener');
  const stopped = bulkhead.enter(controller.signal);
  const next = take(bulkhead);
  const reason = new Error('stop');
  controller.abort(reason);
  await expect(stopped).rejects.toBe(reason);
  expect(remove).toHaveBeenCalled();
  leave();
  await next;
  await expect(bulkhead.enter(controller.signal)).rejects.toBe(reason);
});
