import { createCallGuard, type CallGuard } from '@turnpike/egress';

const LONG_MS = 3_600_000;

/** A guard with this much room for each key, where `waiting` more may wait for it. Its breaker stays closed. */
export function roomFor(slots: number, waiting = 0): CallGuard {
  return createCallGuard({ slots, maxWaiting: waiting, maxWaitMs: LONG_MS, minCalls: 100_000 });
}

/** A guard whose breaker opens after a few failures, and stays open. */
export function touchyGuard(): CallGuard {
  return createCallGuard({ minCalls: 4, windowMs: LONG_MS, openMs: LONG_MS, maxOpenMs: LONG_MS });
}
