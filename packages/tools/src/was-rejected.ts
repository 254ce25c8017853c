import { BulkheadFullError, CircuitOpenError } from '@turnpike/egress';

/** Whether the guard rejected a call, so that nothing was sent: its circuit breaker is open, or all slots are busy. */
export function wasRejected(error: unknown): error is BulkheadFullError | CircuitOpenError {
  return error instanceof BulkheadFullError || error instanceof CircuitOpenError;
}
