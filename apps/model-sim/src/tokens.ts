/** A piece of a response as one delta carries it. */
export interface Piece {
  text: string;
  tokens: number;
}

const TOKEN = /\s?\S{1,5}|\s/gu;

/** Text cut into pieces about as long as a model's tokens; joined again they are the text. */
export function splitTokens(text: string): string[] {
  return text.match(TOKEN) ?? [];
}

/** Tokens grouped by `chunk`, the tokens of one delta. */
export function groupTokens(tokens: readonly string[], chunk: number): Piece[] {
  const pieces: Piece[] = [];
  for (let start = 0; start < tokens.length; start += chunk) {
    const group = tokens.slice(start, start + chunk);
    pieces.push({ text: group.join(''), tokens: group.length });
  }
  return pieces;
}

/** Input tokens of this many characters. Like the real count, a number to budget by and not an exact one. */
export function estimateTokens(characters: number): number {
  return Math.ceil(characters / 4);
}
