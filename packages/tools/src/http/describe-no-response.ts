import { mayRepeat, OutcomeUnknownError, type Effect, type ToolOutput } from '@turnpike/contract';
import { EgressRefusedError, EgressUnreachableError } from '@turnpike/egress';
import { textOutput } from '../tool.ts';
import { wasHeldBack } from '../was-held-back.ts';

/**
 * A call that got no answer, as the model is told of it.
 * Throws `OutcomeUnknownError` where it may have left and must not be repeated.
 */
export function describeNoResponse(
  failure: unknown,
  { name, effect, sends }: { name: string; effect: Effect; sends: number },
): ToolOutput {
  if (wasHeldBack(failure)) {
    const why = failure.code === 'circuit_open' ? 'has not answered lately' : 'is busy with other calls';
    return textOutput(`${failure.code}: ${name} ${why}. Nothing was sent; try again later.`, true);
  }
  const tries = sends > 1 ? ` It was tried ${sends} times.` : '';
  if (failure instanceof EgressRefusedError || failure instanceof EgressUnreachableError) {
    return textOutput(`The request was not sent. ${failure.message}${tries}`, true);
  }
  if (!mayRepeat(effect)) {
    throw failure instanceof OutcomeUnknownError
      ? failure
      : new OutcomeUnknownError('call_failed', `The call of ${name} failed inside.`, failure);
  }
  const message = failure instanceof OutcomeUnknownError ? failure.message : 'The call failed inside.';
  return textOutput(`${message}${tries}`, true);
}
