import { expect, test } from '@jest/globals';
import { FairSlots, TooManyWaitingError } from './fair-slots.ts';

test('a tenant has one slot at a time, and a tenant with much work lets others run in between', async () => {
  const slots = new FairSlots(2, 100);
  const order: string[] = [];
  const running = new Map<string, number>();
  const work = (tenant: string) =>
    slots.run(tenant, async () => {
      running.set(tenant, (running.get(tenant) ?? 0) + 1);
      expect(running.get(tenant)).toBe(1);
      order.push(tenant);
      await Promise.resolve();
      running.set(tenant, 0);
    });
  const all = [...Array.from({ length: 50 }, () => 'a'), ...Array.from({ length: 50 }, () => 'b'), 'c'].map(
    work,
  );
  await Promise.all(all);
  expect(order).toHaveLength(101);
  expect(order.indexOf('c')).toBeLessThan(8);
});

test('work that fails frees its slot, and too much waiting work is refused', async () => {
  const slots = new FairSlots(1, 2);
  let release = (): void => undefined;
  const first = slots.run('a', () => new Promise<void>((resolve) => (release = resolve)));
  const failing = slots.run('a', () => Promise.reject(new Error('It failed.')));
  const third = slots.run('a', () => Promise.resolve('done'));
  await expect(slots.run('a', () => Promise.resolve())).rejects.toThrow(TooManyWaitingError);
  release();
  await first;
  await expect(failing).rejects.toThrow('It failed.');
  expect(await third).toBe('done');
});

test('a tenant that rests has no slot meanwhile, and holds none', async () => {
  const slots = new FairSlots(1, 100);
  const order: string[] = [];
  const work = (name: string, restMs: number) => (restFor: (ms: number) => void) => {
    order.push(name);
    restFor(restMs);
    return Promise.resolve();
  };
  const ofGreedy = [work('greedy 1', 100), work('greedy 2', 0)].map((run) => slots.run('greedy', run));
  const ofModest = ['modest 1', 'modest 2', 'modest 3'].map((name) => slots.run('modest', work(name, 0)));
  await Promise.all([...ofGreedy, ...ofModest]);
  expect(order).toEqual(['greedy 1', 'modest 1', 'modest 2', 'modest 3', 'greedy 2']);
});
