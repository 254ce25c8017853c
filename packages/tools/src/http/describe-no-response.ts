import { mayRepeat, OutcomeUnknownError, type Effect, type ToolOutput } from '@turnpike/contract';
import { EgressRefusedError, EgressUnreachableError } from '@turnpike/egress';
import { textOutput } from '../tool.ts';
import { wasRejected } from '../was-rejected.ts';

/**
 * The result, for the model, of a call without a response.
 * Throws `OutcomeUnknownError` where it may have been sent and must not be repeated.
 */
export function describeNoResponse(
  failure: unknown,
  { name, effect, sends }: { name: string; effect: Effect; sends: number },
): ToolOutput {
  if (wasRejected(failure)) {
    const reason = failure.code === 'circuit_open' ? 'has not responded lately' : 'is busy with other calls';
    return textOutput(`${failure.code}: ${name} ${reason}. Nothing was sent; try again later.`, true);
  }
  const tries = sends > 1 ? ` It was tried ${sends} times.` : '';
  if (failure instanceof EgressRefusedError || failure instanceof EgressUnreachableError) {
    return textOutput(`The request was not sent. ${failure.message}${tries}`, true);
  }
  if (!mayRepeat(effect)) {
    throw failure instanceof OutcomeUnknownError
      ? failure
      : new OutcomeUnknownError('call_failed', `The call of ${name} failed with an internal error.`, failure);
  }
  const message =
    failure instanceof OutcomeUnknownError ? failure.message : 'The call failed with an internal error.';
  return textOutput(`${message}${tries}`, true);
}
