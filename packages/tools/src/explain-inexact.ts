import type { GivenInput } from './given-tool.ts';

/** An explanation for the model of numbers that cannot be passed to a tool exactly; null where all of them can. */
export function explainInexact({ inexact }: Pick<GivenInput, 'inexact'>): string | null {
  if (inexact.length === 0) return null;
  const numbers = [...new Set(inexact)].slice(0, MAX_NUMBERS).map((number) => number.slice(0, MAX_DIGITS));
  return (
    `The call was not made: this tool cannot be given ${numbers.join(', ')} exactly, only numbers of up to about ` +
    '15 digits. Nothing was done.'
  );
}

const MAX_NUMBERS = 5;
const MAX_DIGITS = 60;
