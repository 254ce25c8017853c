/** Text that JSON and Postgres can both hold: NUL and halves of surrogate pairs become U+FFFD. */
export function storableText(text: string): string {
  return text.replaceAll('\0', '\uFFFD').toWellFormed();
}

/** A copy of a JSON value in which every text, and every name, is storable; the value itself where all are. */
export function storableJson<Value>(value: Value): Value;
export function storableJson(value: unknown): unknown {
  if (typeof value === 'string') return storableText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => storableJson(item));
  // A name such as `__proto__` stays a name like any other.
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [storableText(name), storableJson(part)]),
  );
}

/** An escape of a pair, of what cannot be stored, or of anything else. */
const ESCAPE =
  /\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2})|\\[^]/g;

const PAIR_LENGTH = '\\ud83d\\ude00'.length;

/** A JSON text, or a part of one, in which every string is storable; not another character of it is changed. */
export function storableJsonText(text: string): string {
  const clean = storableText(text);
  if (!/\\u(?:0000|d[89a-f])/i.test(clean)) return clean;
  return clean.replace(ESCAPE, (escape) =>
    escape.length === 2 || escape.length === PAIR_LENGTH ? escape : '\\ufffd',
  );
}
