import { openDatabase, ReadReplica, type Database } from '@turnpike/store';
import type { Metrics } from '@turnpike/telemetry';
import type { Config } from './config.ts';

/** The replica of `DATABASE_READ_URL`; null where there is none. It connects with the first read. */
export function openReplica(
  config: Pick<Config, 'databaseReadUrl' | 'databaseReadLagMs' | 'databasePoolSize'>,
  parts: { database: Database; metrics: Metrics; onError: (error: unknown) => void },
): ReadReplica | null {
  if (config.databaseReadUrl === null) return null;
  const reads = parts.metrics.counter('turnpike_lagging_reads_total');
  const standby = openDatabase({
    url: config.databaseReadUrl,
    poolSize: config.databasePoolSize,
    applicationName: 'turnpike-api',
    onError: parts.onError,
  });
  return new ReadReplica(parts.database, standby, {
    maxLagMs: config.databaseReadLagMs,
    onRead: (source) => reads.inc({ source }),
    onError: parts.onError,
  });
}
