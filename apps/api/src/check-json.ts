import { isUtf8 } from 'node:buffer';
import { ProblemError, type ValidationIssue } from '@turnpike/contract';

/** Nesting of arrays and objects: what recurses into a value has enough stack for it. */
const MAX_JSON_DEPTH = 100;
/** Fields of objects and elements of arrays in one body. Each invalid one is an issue in memory. */
const MAX_JSON_VALUES = 200_000;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const OPEN_OBJECT = 0x7b;
const CLOSE_ARRAY = 0x5d;
const CLOSE_OBJECT = 0x7d;

/**
 * Scans a JSON text before it is parsed. Throws `ProblemError`: `invalid_json` for bytes that are not UTF-8,
 * `invalid_request` for a text that nests too deeply or has too many values. It leaves the syntax to the parser.
 */
export function checkJsonText(bytes: Buffer): void {
  if (!isUtf8(bytes)) throw new ProblemError('invalid_json', 'The body is not valid UTF-8.');
  let depth = 0;
  let values = 1;
  for (let offset = 0; offset < bytes.length; offset++) {
    const byte = bytes[offset];
    if (byte === QUOTE) offset = endOfString(bytes, offset);
    else if (byte === COMMA) values += 1;
    else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) depth -= 1;
    else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      depth += 1;
      values += 1;
      if (depth > MAX_JSON_DEPTH) throw tooMuch(`nests more than ${MAX_JSON_DEPTH} levels deep`);
    }
    if (values > MAX_JSON_VALUES) throw tooMuch(`holds more than ${MAX_JSON_VALUES} values`);
  }
}

/** The offset of the end of the string that begins here. */
function endOfString(bytes: Buffer, start: number): number {
  for (let quote = bytes.indexOf(QUOTE, start + 1); quote !== -1; quote = bytes.indexOf(QUOTE, quote + 1)) {
    let first = quote;
    while (bytes[first - 1] === BACKSLASH && first - 1 > start) first -= 1;
    const isEscaped = (quote - first) % 2 === 1;
    if (!isEscaped) return quote;
  }
  return bytes.length;
}

function tooMuch(what: string): ProblemError {
  return new ProblemError('invalid_request', `The body ${what}.`);
}

/** A NUL character, or half a surrogate pair: Postgres stores neither. */
const UNSTORABLE = /[\0\p{Surrogate}]/u;

/**
 * The first value in a parsed body or query that could not be stored as it was sent; null where all can.
 * `value` nests no deeper than `MAX_JSON_DEPTH`.
 */
export function findUnstorable(value: unknown): ValidationIssue | null {
  const found = findIn(value);
  return found === null ? null : { path: found.path.toReversed().join('.'), message: found.message };
}

/** Its path is reversed: it is built only where something was found. */
interface Found {
  path: string[];
  message: string;
}

function findIn(value: unknown): Found | null {
  if (typeof value === 'string') return textMistake(value);
  if (typeof value === 'number') {
    return Number.isFinite(value) ? null : { path: [], message: 'is a number too large to be stored' };
  }
  if (typeof value !== 'object' || value === null) return null;
  for (const key of Object.keys(value)) {
    const found = keyMistake(key) ?? findIn((value as Record<string, unknown>)[key]);
    if (found === null) continue;
    found.path.push(key);
    return found;
  }
  return null;
}

function textMistake(text: string): Found | null {
  if (!UNSTORABLE.test(text)) return null;
  return { path: [], message: 'must have no NUL character and no half of a surrogate pair' };
}

function keyMistake(key: string): Found | null {
  // An object that is built by assignment, here or in a tool's code, would lose it.
  if (key === '__proto__') return { path: [], message: 'is not allowed as the name of a field' };
  return textMistake(key);
}
