import { decodedViews, withoutCharacters, type DecodedView } from './decoded-view.ts';
import { PrefixMatches } from './prefix-matches.ts';

/** The forms of a secret in a text whose escapes, line breaks and case are normalized. */
export interface SecretPatterns {
  /** The value, and the value decoded: an escape sequence in it is decoded together with those of the text. */
  plain: readonly Pattern[];
  /** Its base64 at each of the three offsets at which it may begin inside a longer encoded text. */
  base64: readonly Pattern[];
  hex: readonly Pattern[];
}

interface Pattern {
  /** A beginning that is long enough to be hidden. */
  head: string;
  matches: PrefixMatches;
}

const HALF_ESCAPE = /(?:\\(?:u[0-9a-f]{0,3}|x[0-9a-f]?)?|%[0-9a-f]?|&#?\w{0,7})$/i;

/** Shorter values are searched for only unencoded: their encoded forms would match ordinary words. */
export const SHORTEST_ENCODED = 6;
/** A beginning is hidden that is half of the value, or this many characters of a long value. */
const LONG_BEGINNING = 24;
const SHORTEST_HEAD = 8;
/** At the end of a truncated text this many are enough; a shorter beginning reveals nothing. */
const SHORTEST_REST = 4;

export function secretPatterns(value: string): SecretPatterns {
  const wellFormed = value.toWellFormed();
  if (value.length < SHORTEST_ENCODED) {
    const whole = withSpaces(wellFormed);
    return { plain: [patternOf(whole, whole.length)], base64: [], hex: [] };
  }
  const bytes = Buffer.from(value);
  const share = headLength(value.length) / value.length;
  const pattern = (whole: string): Pattern =>
    patternOf(whole, Math.max(SHORTEST_HEAD, Math.ceil(whole.length * share)));
  // The last base64 letter depends only on the value where the value is encoded alone, not inside a longer text.
  const alone = bytes.toString('base64').replace(/=+$/, '');
  const inside = [0, 1, 2].map((before) => insideBase64(bytes, before));
  const plain = decodedViews(wellFormed)
    .map(({ text }) => withSpaces(text))
    .filter((text) => text.length >= SHORTEST_ENCODED);
  return {
    plain: plain.map(pattern),
    base64: [...new Set([alone, ...inside])].map(pattern),
    hex: [pattern(bytes.toString('hex'))],
  };
}

/**
 * Finds these secrets, or long beginnings of them, in a text: unencoded, with escapes of JSON, of a URL or of HTML
 * (also nested), in base64 or base64url, and in hexadecimal, the latter two also with line breaks. Returns ranges of
 * the text in no order. `truncated`: the text may end in the middle of a secret.
 */
export function findSecrets(
  text: string,
  secrets: readonly SecretPatterns[],
  truncated = false,
): [number, number][] {
  const found: [number, number][] = [];
  if (secrets.length === 0) return found;
  for (const view of decodedViews(text)) {
    const compact = withoutCharacters(view, /\s+/g);
    const plain = { ...view, text: withSpaces(view.text) };
    const base64 = { ...compact, text: compact.text.replaceAll('-', '+').replaceAll('_', '/') };
    const hex = withoutCharacters({ ...compact, text: compact.text.toLowerCase() }, /:/g);
    for (const secret of secrets) {
      collect(found, plain, secret.plain, truncated);
      collect(found, base64, secret.base64, truncated);
      collect(found, hex, secret.hex, truncated);
    }
  }
  return found;
}

/** The text with `[secret]` in place of these ranges, which may overlap. */
export function hideRanges(text: string, ranges: readonly [number, number][]): string {
  if (ranges.length === 0) return text;
  let clean = '';
  let done = 0;
  for (const [from, to] of ranges.toSorted(([one], [other]) => one - other)) {
    if (from >= done) clean += `${text.slice(done, from)}[secret]`;
    done = Math.max(done, to);
  }
  return clean + text.slice(done);
}

function collect(
  found: [number, number][],
  { text, from, to }: DecodedView,
  patterns: readonly Pattern[],
  truncated: boolean,
): void {
  const complete = truncated ? text.replace(HALF_ESCAPE, '') : text;
  for (const { head, matches } of patterns) {
    if (head === '') continue;
    for (let at = text.indexOf(head); at !== -1;) {
      const end = matches.endOf(text, at, head.length);
      found.push([from(at), to(end - 1)]);
      at = text.indexOf(head, end - head.length + 1);
    }
    if (!truncated) continue;
    const rest = matches.atEnd(complete);
    if (rest >= SHORTEST_REST) found.push([from(complete.length - rest), to(text.length - 1)]);
  }
}

function patternOf(whole: string, headCharacters: number): Pattern {
  return { head: whole.slice(0, headCharacters), matches: new PrefixMatches(whole) };
}

function headLength(length: number): number {
  return Math.min(length, Math.max(SHORTEST_HEAD, Math.min(LONG_BEGINNING, Math.ceil(length / 2))));
}

/** A form encodes a space as a plus, so the comparison treats both alike. */
function withSpaces(text: string): string {
  return text.replaceAll('+', ' ');
}

/** The base64 letters that depend only on these bytes, with `before` other bytes in front of them. */
function insideBase64(bytes: Buffer, before: number): string {
  const letters = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
  const whole = Math.floor(((before + bytes.length) * 8) / 6);
  return letters.slice(Math.ceil((before * 8) / 6), whole);
}
