/**
 * Encodes a text that a client chose, such as the name of a model, as one part of a Redis key: only letters, digits
 * and `-_.%`, so that it cannot become another key, a pattern or a hash tag. Different texts stay different.
 */
export function keyPart(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll(
    /[!'()*~]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
