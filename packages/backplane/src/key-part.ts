/**
 * A text that somebody else chose, such as the name of a model, as one part of a Redis key: letters, digits and
 * `-_.%` alone, so that it can be no other key, no pattern and no hash tag. Different texts stay different.
 */
export function keyPart(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll(
    /[!'()*~]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
