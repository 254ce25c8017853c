import type { GivenInput } from './given-tool.ts';

/** What the model is told of numbers that do not get to a tool as it wrote them; null where all of them do. */
export function explainInexact({ inexact }: Pick<GivenInput, 'inexact'>): string | null {
  if (inexact.length === 0) return null;
  const numbers = [...new Set(inexact)].slice(0, MOST_NUMBERS).map((number) => number.slice(0, MOST_DIGITS));
  return (
    `The call was not made: this tool cannot be given ${numbers.join(', ')} exactly, only numbers of up to about ` +
    '15 digits. Nothing was done.'
  );
}

const MOST_NUMBERS = 5;
const MOST_DIGITS = 60;
