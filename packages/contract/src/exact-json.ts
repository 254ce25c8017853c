/*
 * JSON texts whose numbers JavaScript cannot hold, such as 1e400 or 2512292042121000001: they are read and
 * written without a change to them. Between the two, such a number is a text that begins with NUL, which no text
 * that was made storable has.
 */

/** A string, or a number, of a text that is JSON. */
const TOKEN = /"[^"\\]*(?:\\[^][^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** The numbers of a JSON text that JavaScript would change, as they are written there. */
export function inexactNumbers(jsonText: string): string[] {
  return (jsonText.match(TOKEN) ?? []).filter((token) => !token.startsWith('"') && !isExact(token));
}

/** The JSON text with each of those numbers replaced by another JSON text. */
export function replaceInexact(jsonText: string, replacement: (number: string) => string): string {
  return jsonText.replace(TOKEN, (token) =>
    token.startsWith('"') || isExact(token) ? token : replacement(token),
  );
}

/** The value of a JSON text, for `stringifyExact` alone to read. Throws a SyntaxError. */
export function parseExact(jsonText: string): unknown {
  return JSON.parse(replaceInexact(jsonText, (number) => `"\\u0000${number}"`));
}

/** The JSON text of a value with parts that `parseExact` read. */
export function stringifyExact(value: unknown): string {
  return JSON.stringify(value).replace(/"\\u0000(-?\d[-+.\deE]*)"/g, '$1');
}

/** The value of a JSON text for whoever only looks at it: a number that cannot be kept is its text. Throws a SyntaxError. */
export function parseForDisplay(jsonText: string): unknown {
  return JSON.parse(replaceInexact(jsonText, (number) => `"${number}"`));
}

/** Whether JavaScript's number for this text stands for the same number; how it is written does not count. */
function isExact(text: string): boolean {
  const number = Number(text);
  return Number.isFinite(number) && canonical(text) === canonical(String(number));
}

/** Whether the number that a text stands for is a whole one. */
export function isWholeNumber(text: string): boolean {
  return !canonical(text).includes('e-');
}

/** One text for each number: its digits without zeros around them, and the power of ten that they are multiplied by. */
function canonical(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const digits = whole + fraction;
  let start = 0;
  while (digits[start] === '0') start += 1;
  let end = digits.length;
  while (end > start && digits[end - 1] === '0') end -= 1;
  if (start === end) return '0';
  const power = BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - end);
  return `${sign}${digits.slice(start, end)}e${power}`;
}
