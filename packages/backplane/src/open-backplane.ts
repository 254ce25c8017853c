import type { Backplane } from './backplane.ts';
import { openPostgresBackplane } from './postgres-backplane.ts';
import { STALLED_JOBS } from './queue-worker.ts';
import { openRedisBackplane } from './redis-backplane.ts';

export interface BackplaneOptions {
  /** `redis://`, `rediss://`, `postgres://` or `postgresql://`: the scheme chooses the driver. */
  url: string;
  /** Keeps several installations apart on one Redis. Default: `turnpike`. */
  prefix?: string;
  /** Whatever goes wrong in the background; it heals itself, or callers are told too. */
  onError: (error: Error) => void;
  /**
   * A server that came later than the opening is one that the backplane can never work with: the process had better
   * end. Default: `onError`.
   */
  onUnusable?: (error: Error) => void;
  /** A consumer that takes nothing for so long, while jobs wait and it has room, is made anew. Default: 5 s. */
  deafAfterMs?: number;
  /** How long a taken job is believed to be in good hands without another word. Default: 15 s. */
  lockMs?: number;
}

/**
 * Opens the backplane. With Redis, a server that is away is no reason to wait; throws `UnsupportedRedisError` for
 * a Redis Cluster or a Sentinel. With Postgres, makes
 * the schema where it is not there yet, and throws `BackplaneUnavailableError` where that cannot be
 * done in 15 s, `TerminalError` where it can never be done.
 */
export async function openBackplane(options: BackplaneOptions): Promise<Backplane> {
  const {
    url,
    onError,
    onUnusable = onError,
    deafAfterMs = 5_000,
    lockMs = STALLED_JOBS.lockDuration,
  } = options;
  const common = { url, onError, deafAfterMs, lockMs };
  return /^rediss?:/.test(url)
    ? openRedisBackplane({ ...common, onUnusable, prefix: options.prefix ?? 'turnpike' })
    : openPostgresBackplane(common);
}
