import { expect, test } from '@jest/globals';
import { createRunWithin, TimeShareError } from './run-within.ts';
import { TimeShares } from './time-shares.ts';

/** Shares whose clock the test moves; each run tells how long it might have taken. */
function setUp() {
  let now = 0;
  const limits: number[] = [];
  const shares = new TimeShares({
    capacityMs: 1_000,
    now: () => now,
    runWithin: (limitMs, work) => {
      limits.push(limitMs);
      return work();
    },
  });
  const pass = (ms: number): void => void (now += ms);
  /** Works so long for a tenant, and tells how long it was allowed to. */
  const spend = (tenant: string, ms: number): number | undefined => {
    shares.run(tenant, () => pass(ms));
    return limits.at(-1);
  };
  return { spend, pass };
}

test('whoever has used up its share has only as long as ordinary work takes, and others have theirs', () => {
  const { spend } = setUp();
  expect(spend('greedy', 605)).toBe(1_000);
  expect(spend('greedy', 4_000)).toBe(400);
  expect(spend('greedy', 0)).toBe(100);
  expect(spend('modest', 0)).toBe(1_000);
});

test('a share comes back with time, and never grows beyond itself', () => {
  const { spend, pass } = setUp();
  spend('greedy', 4_000);
  pass(10_000);
  expect(spend('greedy', 0)).toBe(500);
  pass(3_600_000);
  expect(spend('greedy', 0)).toBe(1_000);
});

test('ordinary work costs nothing', () => {
  const { spend } = setUp();
  for (let call = 0; call < 1_000; call += 1) expect(spend('busy', 5)).toBe(1_000);
});

test('what work returns and throws comes through, and what goes on for ever is stopped', () => {
  const runWithin = createRunWithin();
  const error = new RangeError('no');
  const fail = () =>
    runWithin(60_000, () => {
      throw error;
    });
  const spin = () =>
    runWithin(20, () => {
      for (;;);
    });
  const backtrack = () => runWithin(20, () => /^(a+)+$/.test(`${'a'.repeat(100)}!`));
  expect(fail).toThrow(error);
  expect(spin).toThrow(TimeShareError);
  expect(backtrack).toThrow(TimeShareError);
  expect(runWithin(60_000, () => 7)).toBe(7);
});
