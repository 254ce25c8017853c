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
