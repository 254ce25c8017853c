import { expect, test } from '@jest/globals';
import { TenantTurns } from './tenant-turns.ts';

test('tenants are served in turn, one in each round of the event loop', async () => {
  const turns = new TenantTurns();
  const order: string[] = [];
  let rounds = 0;
  const count = (): void => {
    rounds += 1;
    if (order.length < 12) setImmediate(count);
  };
  setImmediate(count);
  const wait = async (tenant: string): Promise<void> => {
    await turns.next(tenant);
    order.push(tenant);
  };
  await Promise.all(['a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'b', 'b', 'c', 'c'].map(wait));
  expect(order.slice(0, 6)).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
  expect(rounds).toBeGreaterThanOrEqual(11);
  await turns.next('a');
});

test('with a share, the loop is left to everything else for the rest of the time', async () => {
  const turns = new TenantTurns(0.2);
  let workedMs = 0;
  const startedAt = performance.now();
  for (let piece = 0; piece < 5; piece += 1) {
    await turns.next('a');
    const workUntil = performance.now() + 5;
    while (performance.now() < workUntil);
    workedMs += 5;
  }
  await turns.next('a');
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(4 * workedMs);
});
