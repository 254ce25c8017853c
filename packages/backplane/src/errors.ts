import { RetryableError } from '@turnpike/contract';

/** The backplane did not answer: what was asked of it may or may not have happened. */
export class BackplaneUnavailableError extends RetryableError {
  constructor(what: string, cause?: unknown) {
    super('backplane_unavailable', `The backplane did not answer: ${what}.`, undefined, cause);
  }
}
