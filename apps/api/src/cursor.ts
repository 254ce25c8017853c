import { ProblemError } from '@turnpike/contract';

/** Cursors for lists whose items have no id: opaque to clients, so that their form can change. */
export function encodePosition(numbers: readonly number[]): string {
  return Buffer.from(numbers.join('.')).toString('base64url');
}

/** Throws `invalid_cursor` for anything that `encodePosition` did not return for this many numbers. */
export function decodePosition(cursor: string, count: number): number[] {
  const numbers = Buffer.from(cursor, 'base64url').toString().split('.');
  const isPlace = numbers.length === count && numbers.every((text) => /^(0|[1-9]\d{0,8})$/.test(text));
  if (!isPlace) throw new ProblemError('invalid_cursor', 'The cursor is not from a list of this kind.');
  return numbers.map(Number);
}

/** One page. `items` has one more than `limit` where there is another page. */
export function pageOf<Item>(
  items: readonly Item[],
  limit: number,
  cursorOf: (item: Item) => string,
): { object: 'list'; items: Item[]; next_cursor: string | null } {
  const page = items.slice(0, limit);
  const last = page.at(-1);
  const hasMore = items.length > limit && last !== undefined;
  return { object: 'list', items: page, next_cursor: hasMore ? cursorOf(last) : null };
}
