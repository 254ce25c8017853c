import { TurnpikeApiError, TurnpikeConnectionError, TurnpikeTimeoutError } from './errors.ts';

const FIRST_MS = 250;
const MAX_MS = 8_000;
/** If the service asks to wait longer than this, the error is thrown instead. */
const MAX_RETRY_AFTER_MS = 60_000;
/** Spreads clients that got the same delay. */
const SPREAD_MS = 500;

/** Full jitter: a random delay up to a bound that doubles with each failure. `failures` counts from 1. */
function backoffMs(failures: number, firstMs = FIRST_MS): number {
  return Math.random() * Math.min(MAX_MS, firstMs * 2 ** (failures - 1));
}

/** True if the same request, repeated with the same idempotency key, may succeed. */
export function canSucceedLater(error: unknown): boolean {
  if (error instanceof TurnpikeConnectionError || error instanceof TurnpikeTimeoutError) return true;
  if (!(error instanceof TurnpikeApiError)) return false;
  if ((error.retryAfterMs ?? 0) > MAX_RETRY_AFTER_MS) return false;
  const { status, code } = error;
  return status === 408 || status === 429 || status >= 500 || code === 'idempotency_key_in_use';
}

/** The delay after this many failures in a row: at least what the service asks for. */
export function retryDelayMs(error: unknown, failures: number, firstMs = FIRST_MS): number {
  const retryAfterMs = error instanceof TurnpikeApiError ? error.retryAfterMs : null;
  return retryAfterMs === null ? backoffMs(failures, firstMs) : retryAfterMs + Math.random() * SPREAD_MS;
}
