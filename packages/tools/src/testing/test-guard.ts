import { createCallGuard, type CallGuard } from '@turnpike/egress';

const LONG_MS = 3_600_000;

/** A guard with these slots for each key, for which `waiting` more calls may wait. Its circuit breaker stays closed. */
export function guardWithSlots(slots: number, waiting = 0): CallGuard {
  return createCallGuard({ slots, maxWaiting: waiting, maxWaitMs: LONG_MS, minCalls: 100_000 });
}

/** A guard whose circuit breaker opens after a few failures, and stays open. */
export function sensitiveGuard(): CallGuard {
  return createCallGuard({ minCalls: 4, windowMs: LONG_MS, openMs: LONG_MS, maxOpenMs: LONG_MS });
}
