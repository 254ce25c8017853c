import { expect, test } from '@jest/globals';
import { FreshTurns } from './fresh-turns.ts';

test('a turn that was just accepted is known to be open, once, and to its tenant alone', () => {
  const fresh = new FreshTurns();
  fresh.add('ten_1', 'turn_1');
  expect(fresh.take('ten_2', 'turn_1')).toBe(false);
  expect([fresh.take('ten_1', 'turn_1'), fresh.take('ten_1', 'turn_1')]).toEqual([true, false]);
});

test('a turn whose change was signalled is not fresh, also where the signal came before its commit was known', () => {
  const fresh = new FreshTurns();
  fresh.add('ten_1', 'turn_1');
  fresh.changed('turn_1');
  fresh.changed('turn_2');
  fresh.add('ten_1', 'turn_2');
  expect([fresh.take('ten_1', 'turn_1'), fresh.take('ten_1', 'turn_2')]).toEqual([false, false]);
});

test('once signals may have been lost, no turn is fresh', () => {
  const fresh = new FreshTurns();
  fresh.add('ten_1', 'turn_1');
  fresh.clear();
  expect(fresh.take('ten_1', 'turn_1')).toBe(false);
});
