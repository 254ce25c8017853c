/**
 * Finds beginnings of a pattern in a text in linear time, however repetitive either is (Knuth, Morris, Pratt, "Fast
 * pattern matching in strings", 1977).
 */
export class PrefixMatches {
  readonly #pattern: string;
  #borders: Uint32Array | undefined;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  /**
   * For a text that has the first `length` characters of the pattern at `at`: the end of the longest match from there,
   * including all overlapping beginnings of at least `length` characters.
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

  /** The length of the longest beginning of the pattern, but not all of it, that the text ends with. */
  atEnd(text: string): number {
    let matched = 0;
    for (let at = Math.max(0, text.length - this.#pattern.length + 1); at < text.length; at += 1) {
      matched = this.#next(matched, text[at]);
    }
    return matched;
  }

  /** The length of the beginning that is matched after `character`, where `matched` characters were matched before. */
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

/** For each beginning of the pattern: the length of its longest proper prefix that is also its suffix. */
function bordersOf(pattern: string): Uint32Array {
  const borders = new Uint32Array(pattern.length);
  for (let at = 1; at < pattern.length; at += 1) {
    borders[at] = nextMatch(pattern, borders, borders[at - 1] ?? 0, pattern[at]);
  }
  return borders;
}
