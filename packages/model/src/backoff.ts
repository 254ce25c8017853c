import type { ModelLimits } from './limits.ts';

/**
 * Milliseconds before the retry that follows this many requests: what the other side asked for, and
 * on top of it full jitter, so that those who were refused together do not come back together.
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
