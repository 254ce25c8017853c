import { RetryableError } from '@turnpike/contract';

/** The backplane did not respond. The operation may or may not have happened. */
export class BackplaneUnavailableError extends RetryableError {
  constructor(what: string, cause?: unknown) {
    super('backplane_unavailable', `The backplane did not respond: ${what}.`, undefined, cause);
  }
}

/**
 * The error with its message and code alone. The drivers add the refused command to their errors, and the first
 * command that a server refuses is the one with the password.
 */
export function plainError(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  const plain = new Error(error.message);
  plain.name = error.name;
  if (error.stack !== undefined) plain.stack = error.stack;
  if ('code' in error && typeof error.code === 'string') Object.assign(plain, { code: error.code });
  return plain;
}
