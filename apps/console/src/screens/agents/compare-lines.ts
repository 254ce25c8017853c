export interface ComparedLine {
  text: string;
  /** On which side it is. */
  side: 'both' | 'left' | 'right';
}

/** The table below has this many cells at most: longer texts are shown one after the other. */
const MOST_CELLS = 4_000_000;

/** The lines of two texts, by their longest common subsequence. */
export function compareLines(left: readonly string[], right: readonly string[]): ComparedLine[] {
  if (left.length * right.length > MOST_CELLS) return [...of(left, 'left'), ...of(right, 'right')];
  const lengths = commonLengths(left, right);
  const compared: ComparedLine[] = [];
  let [i, j] = [0, 0];
  while (i < left.length || j < right.length) {
    const [one, other] = [left[i], right[j]];
    if (one !== undefined && one === other) {
      compared.push({ text: one, side: 'both' });
      i += 1;
      j += 1;
    } else if (other === undefined || (one !== undefined && at(lengths, i + 1, j) >= at(lengths, i, j + 1))) {
      compared.push({ text: one ?? '', side: 'left' });
      i += 1;
    } else {
      compared.push({ text: other, side: 'right' });
      j += 1;
    }
  }
  return compared;
}

/** `[i][j]`: how many lines the rest of the left from `i` has in common with the rest of the right from `j`. */
function commonLengths(left: readonly string[], right: readonly string[]): number[][] {
  const lengths = Array.from({ length: left.length + 1 }, () =>
    Array.from({ length: right.length + 1 }, () => 0),
  );
  for (let i = left.length - 1; i >= 0; i -= 1) {
    for (let j = right.length - 1; j >= 0; j -= 1) {
      const row = lengths[i];
      if (row === undefined) continue;
      row[j] =
        left[i] === right[j]
          ? at(lengths, i + 1, j + 1) + 1
          : Math.max(at(lengths, i + 1, j), at(lengths, i, j + 1));
    }
  }
  return lengths;
}

const at = (table: readonly number[][], i: number, j: number): number => table[i]?.[j] ?? 0;

const of = (lines: readonly string[], side: 'left' | 'right'): ComparedLine[] =>
  lines.map((text) => ({ text, side }));
