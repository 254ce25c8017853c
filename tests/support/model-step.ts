import { newId, NO_USAGE, type CompletedStep } from '@turnpike/contract';

/** A model call that is done and cost nothing. */
export const modelStep = (): CompletedStep => ({
  id: newId('step'),
  type: 'model_call',
  model: 'm',
  stopReason: 'end_turn',
  costMicros: 0,
  usage: NO_USAGE,
  attempts: 1,
  providerRequestId: null,
  durationMs: 1,
});
