/** Characters that are not seen, and those that turn the direction of what follows: a text may hide something with them. */
const UNSEEN = /(?![\t\n\r])[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** The text with each of these as its number, such as `[U+202E]`. */
export function visibleText(text: string): string {
  return text.replace(UNSEEN, (character) => {
    const number = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    return `[U+${number}]`;
  });
}
