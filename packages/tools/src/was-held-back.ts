import { BulkheadFullError, CircuitOpenError } from '@turnpike/egress';

/** True where the guard let a call not begin: its breaker is open, or there is no room. */
export function wasHeldBack(error: unknown): error is BulkheadFullError | CircuitOpenError {
  return error instanceof BulkheadFullError || error instanceof CircuitOpenError;
}
