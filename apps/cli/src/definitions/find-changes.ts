import { isDeepStrictEqual } from 'node:util';

/** One field whose value differs. `undefined` on a side: the field is not there. */
export interface Change {
  /** Such as `tools.lookup.requires_approval`; items of a list of named objects are called by their name. */
  field: string;
  before: unknown;
  after: unknown;
}

type Fields = Readonly<Record<string, unknown>>;

/** The fields that differ, in their order; of what both sides have as objects or named lists, the fields inside. */
export function findChanges(before: Fields, after: Fields): Change[] {
  return compare(before, after, '');
}

function compare(before: unknown, after: unknown, field: string): Change[] {
  if (isDeepStrictEqual(before, after)) return [];
  const [one, other] = [fieldsOf(before), fieldsOf(after)];
  if (one === null || other === null) return [{ field, before, after }];
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  const inside = [...names].flatMap((name) =>
    compare(one[name], other[name], field === '' ? name : `${field}.${name}`),
  );
  // The same items in another order.
  return inside.length > 0 ? inside : [{ field, before, after }];
}

function fieldsOf(value: unknown): Fields | null {
  if (typeof value !== 'object' || value === null) return null;
  if (!Array.isArray(value)) return value as Fields;
  const named = value.map((item: unknown) => [nameOf(item), item] as const);
  const names = new Set(named.map(([name]) => name));
  if (value.length === 0 || names.has(null) || names.size < named.length) return null;
  return Object.fromEntries(named.map(([name, item]) => [String(name), item]));
}

function nameOf(item: unknown): string | null {
  if (typeof item !== 'object' || item === null || !('name' in item)) return null;
  return typeof item.name === 'string' ? item.name : null;
}
