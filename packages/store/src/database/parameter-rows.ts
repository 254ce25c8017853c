/** One column of parameter rows: its Postgres type, and its value for an item. */
export type ParameterColumn<Item> = readonly [type: string, valueOf: (item: Item) => unknown];

export interface ParameterRows<Item> {
  /** The rows, for a FROM clause: `unnest($1::text[], ...) AS name(column, ...)`. */
  from: string;
  /** The statement's parameters for these items, one array for each column. */
  values(items: readonly Item[]): unknown[][];
  /** The number of the first parameter after these. */
  next: number;
}

/** Columns of a part of each item. */
export function columnsOf<Item, Part>(
  columns: Readonly<Record<string, ParameterColumn<Part>>>,
  partOf: (item: Item) => Part,
): Record<string, ParameterColumn<Item>> {
  const entries = Object.entries(columns).map(([name, [type, valueOf]]): [string, ParameterColumn<Item>] => [
    name,
    [type, (item) => valueOf(partOf(item))],
  ]);
  return Object.fromEntries(entries);
}

/** Parameters of a statement that takes many rows at once. Nothing in the statement has to count them. */
export function parameterRows<Item>(
  name: string,
  columns: Readonly<Record<string, ParameterColumn<Item>>>,
): ParameterRows<Item> {
  const types = Object.values(columns).map(([type], index) => `$${index + 1}::${type}[]`);
  const readers = Object.values(columns).map(([, valueOf]) => valueOf);
  return {
    from: `unnest(${types.join(', ')}) AS ${name}(${Object.keys(columns).join(', ')})`,
    values: (items) => readers.map((valueOf) => items.map((item) => valueOf(item))),
    next: types.length + 1,
  };
}
