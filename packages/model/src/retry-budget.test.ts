import { describe, expect, it } from '@jest/globals';
import { backoffMs, parkMs } from './backoff.ts';
import { createRetryBudget, sharedRetryBudget, type RetryBudget } from './retry-budget.ts';

describe('the retry budget of one process', () => {
  it('lets a key retry its allowance, then no more', () => {
    const budget = createRetryBudget({ allowance: 2 }, () => 0);
    expect([1, 2, 3].map(() => budget.take('a'))).toEqual([true, true, false]);
    expect(budget.take('b')).toBe(true);
  });

  it('gives one retry for ten successes', () => {
    const budget = createRetryBudget({ allowance: 0 }, () => 0);
    for (let success = 0; success < 9; success++) budget.deposit('a');
    expect(budget.take('a')).toBe(false);
    budget.deposit('a');
    expect([budget.take('a'), budget.take('a')]).toEqual([true, false]);
  });

  it('returns a retry that succeeded: only failed retries are limited', () => {
    const budget = createRetryBudget({ allowance: 1, perMinute: 0 }, () => 0);
    for (let retry = 0; retry < 100; retry++) {
      expect(budget.take('a')).toBe(true);
      budget.deposit('a', true);
    }
    // A hundred successes are ten retries more.
    const granted = Array.from({ length: 20 }, () => budget.take('a')).filter(Boolean);
    expect(granted).toHaveLength(11);
  });

  it('saves up no more than its capacity', () => {
    const budget = createRetryBudget({ allowance: 1, capacity: 2, perMinute: 0 }, () => 0);
    for (let success = 0; success < 1000; success++) budget.deposit('a');
    expect([1, 2, 3].map(() => budget.take('a'))).toEqual([true, true, false]);
  });

  it('fills with time up to its allowance, so that waiting turns get a retry', () => {
    let now = 0;
    const budget = createRetryBudget({ allowance: 2, perMinute: 6 }, () => now);
    expect([1, 2, 3].map(() => budget.take('a'))).toEqual([true, true, false]);
    now = 10_000;
    expect([1, 2].map(() => budget.take('a'))).toEqual([true, false]);
    now = 10_000_000;
    expect([1, 2, 3].map(() => budget.take('a'))).toEqual([true, true, false]);
  });

  it('drops the least recently used key when there are too many', () => {
    const budget = createRetryBudget({ allowance: 1, maxKeys: 2 }, () => 0);
    expect(budget.take('a')).toBe(true);
    expect(budget.take('b')).toBe(true);
    expect(budget.take('a')).toBe(false);
    expect(budget.take('c')).toBe(true);
    expect(budget.take('a')).toBe(false);
    expect(budget.take('b')).toBe(true);
  });
});

describe('a retry budget that all workers share', () => {
  it('is used, and records successes', async () => {
    const calls: unknown[] = [];
    const shared: RetryBudget = { take: async () => false, deposit: (...given) => void calls.push(given) };
    const budget = sharedRetryBudget(shared, (error) => calls.push(error));
    expect(await budget.take('a')).toBe(false);
    budget.deposit('a', true);
    expect(calls).toEqual([['a', true]]);
  });

  it('is replaced by one of this process while it is unavailable, which is reported once', async () => {
    let isAway = true;
    const errors: unknown[] = [];
    const shared: RetryBudget = {
      take: async () => {
        if (isAway) throw new Error('away');
        return true;
      },
      deposit: () => undefined,
    };
    const budget = sharedRetryBudget(shared, (error) => errors.push(error));
    let granted = 0;
    while (await budget.take('a')) granted++;
    expect(granted).toBeGreaterThanOrEqual(10);
    expect(errors).toHaveLength(1);
    isAway = false;
    expect(await budget.take('a')).toBe(true);
    isAway = true;
    await budget.take('a');
    expect(errors).toHaveLength(2);
  });
});

describe('the wait before a retry', () => {
  const limits = { backoffBaseMs: 500, backoffCapMs: 8000 };

  it('doubles with each request, up to its cap, with full jitter', () => {
    const longest = [1, 2, 3, 5, 50].map((attempts) => backoffMs(attempts, undefined, limits, () => 1));
    expect(longest).toEqual([500, 1000, 2000, 8000, 8000]);
    expect(backoffMs(3, undefined, limits, () => 0)).toBe(0);
  });

  it("is never shorter than the API's retry-after", () => {
    expect(backoffMs(1, 3000, limits, () => 0)).toBe(3000);
    expect(backoffMs(1, 3000, limits, () => 1)).toBe(3500);
  });
});

describe('the time for which a turn is parked', () => {
  const limits = { parkSpreadMs: 5000 };

  it('has the least wait and a spread of as much again, up to a limit', () => {
    for (const [least, longest] of [
      [0, 500],
      [2000, 4000],
      [10_000, 15_000],
    ] as const) {
      expect(parkMs(least, limits, () => 0)).toBe(least);
      expect(parkMs(least, limits, () => 1)).toBe(longest);
    }
  });
});
