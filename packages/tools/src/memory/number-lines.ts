const WIDTH = 6;

/** Lines with their numbers, right-aligned to six digits, and a tab between. `first` is the number of the first. */
export function numberLines(lines: readonly string[], first: number): string {
  return lines.map((line, at) => `${String(first + at).padStart(WIDTH)}\t${line}`).join('\n');
}
