import type { Backplane } from './backplane.ts';
import { openPostgresBackplane } from './postgres-backplane.ts';
import { openRedisBackplane } from './redis-backplane.ts';

export interface BackplaneOptions {
  /** `redis://`, `rediss://` or `postgres://`: the scheme chooses the driver. */
  url: string;
  /** Keeps several installations apart on one Redis. */
  prefix?: string;
  /** Whatever goes wrong in the background; it heals itself, or callers are told too. */
  onError: (error: Error) => void;
}

/** Opens the backplane. With Redis, a server that is away is no reason to wait. */
export async function openBackplane(options: BackplaneOptions): Promise<Backplane> {
  const { url, prefix = 'turnpike', onError } = options;
  return /^rediss?:/.test(url)
    ? openRedisBackplane({ url, prefix, onError })
    : openPostgresBackplane({ url, onError });
}
