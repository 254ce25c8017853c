import { describe, expect, it } from '@jest/globals';
import { backoffMs } from './backoff.ts';
import { createRetryBudget } from './retry-budget.ts';

describe('the retry budget of one process', () => {
  it('lets a key retry its allowance, then no more', () => {
    const budget = createRetryBudget({ allowance: 2 }, () => 0);
    expect([1, 2, 3].map(() => budget.take('a'))).toEqual([true, true, false]);
    expect(budget.take('b')).toBe(true);
  });

  it('gives one retry for ten successes', async () => {
    const budget = createRetryBudget({ allowance: 0 }, () => 0);
    for (let success = 0; success < 9; success++) budget.deposit('a');
    expect(budget.take('a')).toBe(false);
    budget.deposit('a');
    expect([budget.take('a'), budget.take('a')]).toEqual([true, false]);
  });

  it('saves up no more than its capacity', async () => {
    const budget = createRetryBudget({ allowance: 1, capacity: 2, perMinute: 0 }, () => 0);
    for (let success = 0; success < 1000; success++) budget.deposit('a');
    expect([1, 2, 3].map(() => budget.take('a'))).toEqual([true, true, false]);
  });

  it('fills with time up to its allowance, so that those who wait for it get their turn', () => {
    let now = 0;
    const budget = createRetryBudget({ allowance: 2, perMinute: 6 }, () => now);
    expect([1, 2, 3].map(() => budget.take('a'))).toEqual([true, true, false]);
    now = 10_000;
    expect([1, 2].map(() => budget.take('a'))).toEqual([true, false]);
    now = 10_000_000;
    expect([1, 2, 3].map(() => budget.take('a'))).toEqual([true, true, false]);
  });

  it('forgets the key unused for longest when there are too many', () => {
    const budget = createRetryBudget({ allowance: 1, maxKeys: 2 }, () => 0);
    expect(budget.take('a')).toBe(true);
    expect(budget.take('b')).toBe(true);
    expect(budget.take('a')).toBe(false);
    expect(budget.take('c')).toBe(true);
    expect(budget.take('a')).toBe(false);
    expect(budget.take('b')).toBe(true);
  });
});

describe('the wait before a retry', () => {
  const limits = { backoffBaseMs: 500, backoffCapMs: 8000 };

  it('doubles with each request, up to its cap, with full jitter', () => {
    const longest = [1, 2, 3, 5, 50].map((attempts) => backoffMs(attempts, undefined, limits, () => 1));
    expect(longest).toEqual([500, 1000, 2000, 8000, 8000]);
    expect(backoffMs(3, undefined, limits, () => 0)).toBe(0);
  });

  it('is never shorter than what the other side asked for', () => {
    expect(backoffMs(1, 3000, limits, () => 0)).toBe(3000);
    expect(backoffMs(1, 3000, limits, () => 1)).toBe(3500);
  });
});
