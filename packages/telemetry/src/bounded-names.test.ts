import { expect, test } from '@jest/globals';
import { boundedNames } from './bounded-names.ts';

test('the first names keep their own label, and all later ones share one', () => {
  const label = boundedNames(2);
  expect(['a', 'b', 'c', 'a', 'd', 'b'].map(label)).toEqual(['a', 'b', 'other', 'a', 'other', 'b']);
});

test('a label is no longer than a hundred characters', () => {
  expect(boundedNames(1)('x'.repeat(10_000))).toHaveLength(100);
});
