/** Text that both JSON and Postgres can store: NUL and unpaired surrogates become U+FFFD. */
export function storableText(text: string): string {
  return text.replaceAll('\0', '\uFFFD').toWellFormed();
}

/** A copy of a JSON value in which every string and every property name is storable. */
export function storableJson<Value>(value: Value): Value;
export function storableJson(value: unknown): unknown {
  if (typeof value === 'string') return storableText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => storableJson(item));
  // `fromEntries` keeps a name such as `__proto__` as an ordinary property.
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [storableText(name), storableJson(part)]),
  );
}

/** Matches an escape of a surrogate pair, of a character that cannot be stored, or any other escape. */
const ESCAPE =
  /\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2})|\\[^]/g;

const PAIR_LENGTH = '\\ud83d\\ude00'.length;

/** A JSON text, or a part of one, with every string made storable and every other character unchanged. */
export function storableJsonText(text: string): string {
  const clean = storableText(text);
  if (!/\\u(?:0000|d[89a-f])/i.test(clean)) return clean;
  return clean.replace(ESCAPE, (escape) =>
    escape.length === 2 || escape.length === PAIR_LENGTH ? escape : '\\ufffd',
  );
}
