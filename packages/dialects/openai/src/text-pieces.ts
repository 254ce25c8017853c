const LEAST = 16;
const MOST = 64;
const SPACE = /\s/;

/**
 * Where the piece of a text that begins at `start` ends; null where the text must be longer to tell. The borders depend
 * on the text alone, so that a text which is read again comes in the same pieces, however it arrived the first time:
 * after the first white space from the 16th character on, or after 64 characters.
 */
export function endOfPiece(text: string, start: number, isWhole: boolean): number | null {
  for (let end = start + LEAST; end < start + MOST && end <= text.length; end++)
    if (SPACE.test(text.charAt(end - 1))) return end;
  // A surrogate pair is not split.
  const end = /[\uD800-\uDBFF]/.test(text.charAt(start + MOST - 1)) ? start + MOST + 1 : start + MOST;
  if (end <= text.length) return end;
  return isWhole && start < text.length ? text.length : null;
}
