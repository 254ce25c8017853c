import { decodedViews, withoutCharacters, type DecodedView } from './decoded-view.ts';
import { PrefixMatches } from './prefix-matches.ts';

/** What a secret looks like once the escapes, the line breaks and the case of a text are out of the way. */
export interface SecretPatterns {
  /** As it is, and as it is read where an escape that is part of it is decoded along with those of the text. */
  plain: readonly Pattern[];
  /** At each of the three offsets in a group of letters at which it may begin inside something longer. */
  base64: readonly Pattern[];
  hex: readonly Pattern[];
}

interface Pattern {
  /** Enough of its beginning to give away what it is. */
  head: string;
  matches: PrefixMatches;
}

const HALF_ESCAPE = /(?:\\(?:u[0-9a-f]{0,3}|x[0-9a-f]?)?|%[0-9a-f]?|&#?\w{0,7})$/i;

/** Shorter ones are looked for only as they are: other forms of them would be parts of ordinary words. */
export const SHORTEST_ENCODED = 6;
/** A beginning is hidden that has half of the value, or this many characters of a long one. */
const LONG_BEGINNING = 24;
const SHORTEST_HEAD = 8;
/** At the end of a text that was cut, less is enough: a shorter beginning says nothing. */
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
  // Alone, its last letter is part of it; in something longer that letter tells of what follows too.
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
 * Where a text has one of these secrets, or a long beginning of one: raw, with the escapes of JSON, of a URL or of
 * HTML, also one inside the other, in base64 or base64url, in hexadecimal, both also with line breaks. Ranges of the
 * text, in no order. `cut`: the text ends in the middle of something, which may be a secret.
 */
export function findSecrets(
  text: string,
  secrets: readonly SecretPatterns[],
  cut = false,
): [number, number][] {
  const found: [number, number][] = [];
  if (secrets.length === 0) return found;
  for (const view of decodedViews(text)) {
    const compact = withoutCharacters(view, /\s+/g);
    const plain = { ...view, text: withSpaces(view.text) };
    const base64 = { ...compact, text: compact.text.replaceAll('-', '+').replaceAll('_', '/') };
    const hex = withoutCharacters({ ...compact, text: compact.text.toLowerCase() }, /:/g);
    for (const secret of secrets) {
      collect(found, plain, secret.plain, cut);
      collect(found, base64, secret.base64, cut);
      collect(found, hex, secret.hex, cut);
    }
  }
  return found;
}

/** The text with something else in place of these ranges, which may overlap. */
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
  cut: boolean,
): void {
  const complete = cut ? text.replace(HALF_ESCAPE, '') : text;
  for (const { head, matches } of patterns) {
    if (head === '') continue;
    for (let at = text.indexOf(head); at !== -1;) {
      const end = matches.endOf(text, at, head.length);
      found.push([from(at), to(end - 1)]);
      at = text.indexOf(head, end - head.length + 1);
    }
    if (!cut) continue;
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

/** In a form a space is a plus, and a plus may be either: for a comparison both are the same. */
function withSpaces(text: string): string {
  return text.replaceAll('+', ' ');
}

/** The letters that say nothing but these bytes, which so many others stand before. */
function insideBase64(bytes: Buffer, before: number): string {
  const letters = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
  const whole = Math.floor(((before + bytes.length) * 8) / 6);
  return letters.slice(Math.ceil((before * 8) / 6), whole);
}
