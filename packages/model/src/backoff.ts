import type { ModelLimits } from './limits.ts';

/**
 * Milliseconds before the retry that follows this many requests: the `retry-after` of the API, and on top of it full
 * jitter, so that requests that were refused together are not retried together.
 */
export function backoffMs(
  attempts: number,
  retryAfterMs: number | undefined,
  limits: Pick<ModelLimits, 'backoffBaseMs' | 'backoffCapMs'>,
  random: () => number = Math.random,
): number {
  const ceiling = Math.min(limits.backoffCapMs, limits.backoffBaseMs * 2 ** (attempts - 1));
  return Math.ceil((retryAfterMs ?? 0) + random() * ceiling);
}

/**
 * Milliseconds for which a turn is parked: what it must wait at least, and on top of it a spread, so that turns that
 * were parked together do not return together.
 */
export function parkMs(
  leastMs: number,
  { parkSpreadMs }: Pick<ModelLimits, 'parkSpreadMs'>,
  random: () => number = Math.random,
): number {
  return Math.ceil(leastMs + random() * Math.min(parkSpreadMs, Math.max(leastMs, MIN_SPREAD_MS)));
}

const MIN_SPREAD_MS = 500;

/**
 * Least milliseconds before the next lease, where this one used up its requests: longer each time, since a restart is
 * over in seconds and an outage is not.
 */
export function leaseWaitMs(
  attempts: number,
  { maxAttempts, parkBaseMs, parkCapMs }: Pick<ModelLimits, 'maxAttempts' | 'parkBaseMs' | 'parkCapMs'>,
): number {
  const leases = Math.ceil(attempts / maxAttempts);
  return Math.min(parkCapMs, parkBaseMs * 2 ** (leases - 1));
}
