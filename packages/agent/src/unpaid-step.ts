import { NO_USAGE, newId, type CompletedStep, type StepType } from '@turnpike/contract';

/** A step without a model call. */
export function unpaidStep(type: StepType, durationMs: number): CompletedStep {
  return {
    id: newId('step'),
    type,
    model: null,
    stopReason: null,
    usage: NO_USAGE,
    costMicros: 0,
    attempts: 1,
    providerRequestId: null,
    durationMs,
  };
}
