/*
 * Reads and writes JSON with numbers that a JavaScript number cannot represent, such as 1e400 or
 * 2512292042121000001, without changing them. While parsed, such a number is a string that starts with NUL. No
 * other string does: `storableText` replaces NUL.
 */

/** A string or a number in JSON text. */
const TOKEN = /"[^"\\]*(?:\\[^][^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** The numbers in a JSON text that JavaScript cannot represent exactly, as they are written. */
export function inexactNumbers(jsonText: string): string[] {
  return (jsonText.match(TOKEN) ?? []).filter((token) => !token.startsWith('"') && !isExact(token));
}

/** The JSON text with each inexact number replaced. */
export function replaceInexact(jsonText: string, replacement: (number: string) => string): string {
  return jsonText.replace(TOKEN, (token) =>
    token.startsWith('"') || isExact(token) ? token : replacement(token),
  );
}

/** Parses a JSON text into a value that only `stringifyExact` understands. Throws a `SyntaxError`. */
export function parseExact(jsonText: string): unknown {
  return JSON.parse(replaceInexact(jsonText, (number) => `"\\u0000${number}"`));
}

/** The JSON text of a value that contains output of `parseExact`. */
export function stringifyExact(value: unknown): string {
  return JSON.stringify(value).replace(/"\\u0000(-?\d[-+.\deE]*)"/g, '$1');
}

/** Parses a JSON text for display: a number that JavaScript cannot represent becomes a string. Throws a `SyntaxError`. */
export function parseForDisplay(jsonText: string): unknown {
  return JSON.parse(replaceInexact(jsonText, (number) => `"${number}"`));
}

/** Whether JavaScript represents this number exactly, regardless of its notation. */
function isExact(text: string): boolean {
  const number = Number(text);
  return Number.isFinite(number) && canonical(text) === canonical(String(number));
}

/** Whether a text in JSON's number syntax denotes an integer. */
export function isWholeNumber(text: string): boolean {
  return !canonical(text).includes('e-');
}

/** A canonical form: the significant digits and the power of ten they are multiplied by. */
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
