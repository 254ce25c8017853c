import { expect, test } from '@jest/globals';
import { untilTrue } from '../../../../tests/support/until-true.ts';
import { GroupCommit } from './group-commit.ts';
import { StoreUnavailableError } from './sql.ts';

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Writes that end when the test ends them. */
function heldWrites() {
  const groups: { items: readonly string[]; end: (failure?: Error) => void }[] = [];
  const group = new GroupCommit<string, string>({
    write: (items) =>
      new Promise((resolve, reject) => {
        groups.push({
          items,
          end: (failure) =>
            failure === undefined ? resolve(items.map((item) => `${item}!`)) : reject(failure),
        });
      }),
    keyOf: (item) => item.split(' ')[0] ?? '',
  });
  /** Waits until this many groups were sent, and until another one would have been. */
  const left = async (count: number): Promise<void> => {
    while (groups.length < count) await nextTurn();
    for (let turn = 0; turn < 3; turn++) await nextTurn();
  };
  return { groups, group, left };
}

test('items that arrive together or meanwhile share a statement, and each gets its own result', async () => {
  const { groups, group, left } = heldWrites();
  const first = [group.add('a', 1), group.add('b', 1)];
  await left(1);
  const second = [group.add('c', 1)];
  await left(2);
  const third = ['d', 'e', 'f'].map((item) => group.add(item, 1));
  await left(2);
  // Two are in flight: the rest waits for one of them to end.
  expect(groups.map(({ items }) => items)).toEqual([['a', 'b'], ['c']]);
  groups[1]?.end();
  expect(await Promise.all(second)).toEqual(['c!']);
  await left(3);
  expect(groups.map(({ items }) => items)).toEqual([['a', 'b'], ['c'], ['d', 'e', 'f']]);
  groups[0]?.end();
  groups[2]?.end();
  expect(await Promise.all([...first, ...third])).toEqual(['a!', 'b!', 'd!', 'e!', 'f!']);
});

test('a group that is not full waits a moment for the one in flight, so that more items join it', async () => {
  const WAIT_MS = 10;
  // Where the machine took longer than the wait to add the third item, nothing is seen of it: then it is tried again.
  for (let tookMs = Infinity; tookMs >= WAIT_MS;) {
    const { groups, group, left } = heldWrites();
    const startedAt = performance.now();
    const first = group.add('a', 1);
    await left(1);
    const second = [group.add('b', 1)];
    await nextTurn();
    second.push(group.add('c', 1));
    tookMs = performance.now() - startedAt;
    groups[0]?.end();
    await first;
    await left(2);
    groups[1]?.end();
    if (groups[1]?.items.length === 1) {
      await left(3);
      groups[2]?.end();
    }
    await Promise.all(second);
    if (tookMs < WAIT_MS) expect(groups[1]?.items).toEqual(['b', 'c']);
  }
});

test('items with one key never share a statement, and a statement has at most so many bytes', async () => {
  const { groups, group, left } = heldWrites();
  const all = ['x 1', 'x 2', 'y 1', 'big1 1', 'big2 1'].map((item) =>
    group.add(item, item.startsWith('big') ? 600_000 : 1),
  );
  for (const index of [0, 1]) {
    await left(index + 1);
    groups[index]?.end();
  }
  expect(await Promise.all(all)).toEqual(['x 1!', 'x 2!', 'y 1!', 'big1 1!', 'big2 1!']);
  expect(groups.map(({ items }) => items)).toEqual([
    ['x 1', 'y 1', 'big1 1'],
    ['x 2', 'big2 1'],
  ]);
});

test('an item that cannot be written fails alone', async () => {
  const group = new GroupCommit<string, string>({
    write: async (items) => {
      if (items.includes('bad')) throw new TypeError('This item cannot be written.');
      return [...items];
    },
    keyOf: (item) => item,
  });
  const ends = await Promise.allSettled(['a', 'bad', 'b'].map((item) => group.add(item, 1)));
  expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});

test('where the database is unavailable, a group is not retried one by one', async () => {
  const { groups, group, left } = heldWrites();
  const all = Promise.allSettled(['a', 'b', 'c'].map((item) => group.add(item, 1)));
  await left(1);
  groups[0]?.end(new StoreUnavailableError('store_unavailable', 'Away.'));
  expect((await all).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(groups).toHaveLength(1);
});

test('above the bound of waiting items further ones are refused', async () => {
  const { groups, group, left } = heldWrites();
  const held = [group.add('a', 1)];
  await left(1);
  held.push(group.add('b', 1));
  await left(2);
  const waiting = Array.from({ length: 5_000 }, (_, index) => group.add(`w${index}`, 1));
  await expect(group.add('one too many', 1)).rejects.toBeInstanceOf(StoreUnavailableError);
  const statements = 2 + Math.ceil(waiting.length / 64);
  for (let index = 0; index < statements; index++) {
    await left(index + 1);
    groups[index]?.end();
  }
  expect(
    (await Promise.allSettled([...held, ...waiting])).every(({ status }) => status === 'fulfilled'),
  ).toBe(true);
});

test('a group that takes long does not hold up the next one, and one that is full is not waited with', async () => {
  const began: number[] = [];
  const ends: (() => void)[] = [];
  const group = new GroupCommit({
    write: async (items: readonly number[]) => {
      began.push(items.length);
      await new Promise<void>((resolve) => ends.push(resolve));
      return items.map(String);
    },
    keyOf: String,
    mostItems: 2,
  });
  const first = group.add(1, 1);
  await untilTrue('the first is under way', () => began.length === 1);
  const second = group.add(2, 1);
  // Nothing ends the first: after a while the second begins beside it.
  await untilTrue('the second is under way', () => began.length === 2);
  for (const end of ends.splice(0)) end();
  expect(await Promise.all([first, second])).toEqual(['1', '2']);
  const more = [3, 4, 5].map((item) => group.add(item, 1));
  await untilTrue('both are under way', () => began.length === 4);
  for (const end of ends.splice(0)) end();
  expect(await Promise.all(more)).toEqual(['3', '4', '5']);
  expect(began).toEqual([1, 1, 2, 1]);
});
