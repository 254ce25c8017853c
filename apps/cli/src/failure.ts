/** Something that the person at the terminal can act on: its message is all that is shown. */
export class Failure extends Error {
  override readonly name = 'Failure';
}

/** What went wrong, on one line. */
export function describeError(error: unknown): string {
  return textOf(error).replaceAll(/\s+/g, ' ').trim();
}

function textOf(error: unknown): string {
  // A name with several addresses fails once for each; the error around them says nothing itself.
  if (error instanceof AggregateError && error.message === '') return error.errors.map(textOf).join(', ');
  if (!(error instanceof Error)) return String(error);
  return error.message === '' ? error.name : error.message;
}
