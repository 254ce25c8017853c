/** An error that the person at the terminal can act on: only its message is printed. */
export class Failure extends Error {
  override readonly name = 'Failure';
}

/** The message of an error, on one line. */
export function describeError(error: unknown): string {
  return textOf(error).replaceAll(/\s+/g, ' ').trim();
}

function textOf(error: unknown): string {
  // A host name with several addresses fails once for each; the aggregate error has no message.
  if (error instanceof AggregateError && error.message === '') return error.errors.map(textOf).join(', ');
  if (!(error instanceof Error)) return String(error);
  return error.message === '' ? error.name : error.message;
}
