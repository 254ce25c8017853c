import { ModelError } from '@turnpike/contract';

const TOO_LONG = new Set(['model_context_window_exceeded', 'model_request_too_large']);

/** Whether a request was refused since it is longer than the model can read. */
export function isTooLong(error: unknown): error is ModelError {
  return error instanceof ModelError && TOO_LONG.has(error.code);
}
