import { TurnpikeApiError, TurnpikeConnectionError, TurnpikeTimeoutError } from './errors.ts';

const FIRST_MS = 250;
const MOST_MS = 8_000;
/** Whoever is asked to wait longer than this is told so instead. */
const MOST_ASKED_MS = 60_000;
/** All who were told the same time come back spread over this. */
const SPREAD_MS = 500;

/** Full jitter: anything from nothing to a bound that doubles. `failures` counts from 1. */
export function backoffMs(failures: number, firstMs = FIRST_MS): number {
  return Math.random() * Math.min(MOST_MS, firstMs * 2 ** (failures - 1));
}

/** True where the same request, sent again with the same key, may succeed. */
export function canSucceedLater(error: unknown): boolean {
  if (error instanceof TurnpikeConnectionError || error instanceof TurnpikeTimeoutError) return true;
  if (!(error instanceof TurnpikeApiError)) return false;
  if ((error.retryAfterMs ?? 0) > MOST_ASKED_MS) return false;
  const { status, code } = error;
  return status === 408 || status === 429 || status >= 500 || code === 'idempotency_key_in_use';
}

/** How long to wait after so many failures in a row: never less than the service asked for. */
export function retryDelayMs(error: unknown, failures: number, firstMs = FIRST_MS): number {
  const asked = error instanceof TurnpikeApiError ? error.retryAfterMs : null;
  return asked === null ? backoffMs(failures, firstMs) : asked + Math.random() * SPREAD_MS;
}
