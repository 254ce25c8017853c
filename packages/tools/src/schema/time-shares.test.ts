import { expect, test } from '@jest/globals';
import { TimeShares } from './time-shares.ts';

function setUp() {
  let now = 0;
  const shares = new TimeShares(1_000, () => now);
  const pass = (ms: number): void => void (now += ms);
  return { shares, pass };
}

test('time that a tenant used is gone, and each tenant has its own share', () => {
  const { shares } = setUp();
  shares.spend('greedy', 620);
  expect(shares.leftMs('greedy')).toBe(400);
  shares.spend('greedy', 4_000);
  expect(shares.leftMs('greedy')).toBe(0);
  expect(shares.leftMs('modest')).toBe(1_000);
});

test('a share refills with time, up to its capacity', () => {
  const { shares, pass } = setUp();
  shares.spend('greedy', 4_000);
  pass(10_000);
  expect(shares.leftMs('greedy')).toBe(500);
  pass(3_600_000);
  expect(shares.leftMs('greedy')).toBe(1_000);
});

test('ordinary work is not charged', () => {
  const { shares } = setUp();
  for (let call = 0; call < 1_000; call += 1) shares.spend('busy', 20);
  expect(shares.leftMs('busy')).toBe(1_000);
});
