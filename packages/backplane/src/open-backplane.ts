import type { Backplane } from './backplane.ts';
import { openPostgresBackplane } from './postgres-backplane.ts';
import { STALLED_JOBS } from './queue-worker.ts';
import { openRedisBackplane } from './redis-backplane.ts';
import { SINGLE_REDIS, type RedisSettings } from './redis-settings.ts';

export interface BackplaneOptions {
  /** `redis://`, `rediss://`, `postgres://` or `postgresql://`: the scheme chooses the driver. */
  url: string;
  /** Separates several installations on one Redis. It is put into braces where it has none. Default: `turnpike`. */
  prefix?: string;
  /** How that Redis is found and trusted. Default: it is a single one. */
  redis?: RedisSettings;
  /** Errors in the background. The backplane recovers from each, or its callers get an error too. */
  onError: (error: Error) => void;
  /**
   * Called when a server that was away during the opening turns out to be unsupported: the process should exit.
   * Default: `onError`.
   */
  onUnusable?: (error: Error) => void;
  /** A consumer that receives nothing for this long, while jobs wait and it has a free slot, is replaced. Default: 5 s. */
  deafAfterMs?: number;
  /** After this time without a renewal, a received job counts as lost. Default: 15 s. */
  lockMs?: number;
}

/**
 * Opens the backplane. On Redis, does not wait for a server that is away; throws `UnsupportedRedisError` for one
 * that is of another kind than the settings say. On Postgres, creates the schema where it is missing; throws `BackplaneUnavailableError`
 * where that takes more than 15 s, `TerminalError` where it can never succeed.
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
    ? openRedisBackplane({
        ...common,
        onUnusable,
        prefix: options.prefix ?? 'turnpike',
        settings: options.redis ?? SINGLE_REDIS,
      })
    : openPostgresBackplane(common);
}
