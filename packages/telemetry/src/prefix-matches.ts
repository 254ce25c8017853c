/**
 * Where a text has beginnings of a pattern, in time in proportion to the length of both, however much either repeats
 * itself (Knuth, Morris, Pratt, "Fast pattern matching in strings", 1977).
 */
export class PrefixMatches {
  readonly #pattern: string;
  #borders: Uint32Array | undefined;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  /**
   * The text has the first `length` characters of the pattern at `at`. Where what it has of the pattern from there
   * ends, with all further beginnings of at least `length` characters that overlap.
   */
  endOf(text: string, at: number, length: number): number {
    let matched = length;
    let end = at + length;
    for (; end < text.length; end += 1) {
      matched = this.#next(matched, text[end]);
      if (matched < length) break;
    }
    return end;
  }

  /** How many characters of the pattern, but not all, the text ends with. */
  atEnd(text: string): number {
    let matched = 0;
    for (let at = Math.max(0, text.length - this.#pattern.length + 1); at < text.length; at += 1) {
      matched = this.#next(matched, text[at]);
    }
    return matched;
  }

  /** How much of the pattern a text ends with that ended with `matched` characters of it, and goes on with this one. */
  #next(matched: number, character: string | undefined): number {
    this.#borders ??= bordersOf(this.#pattern);
    return nextMatch(this.#pattern, this.#borders, matched, character);
  }
}

function nextMatch(
  pattern: string,
  borders: Uint32Array,
  matched: number,
  character: string | undefined,
): number {
  let length = matched;
  while (length > 0 && (length === pattern.length || pattern[length] !== character)) {
    length = borders[length - 1] ?? 0;
  }
  return pattern[length] === character ? length + 1 : 0;
}

/** For each beginning of the pattern, how much of it is its end as well, without being all of it. */
function bordersOf(pattern: string): Uint32Array {
  const borders = new Uint32Array(pattern.length);
  for (let at = 1; at < pattern.length; at += 1) {
    borders[at] = nextMatch(pattern, borders, borders[at - 1] ?? 0, pattern[at]);
  }
  return borders;
}
