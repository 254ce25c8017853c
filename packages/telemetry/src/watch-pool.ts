import type { Metrics } from './metrics.ts';

/** What is asked of a pool of database connections; `pg` counts so. */
export interface CountedPool {
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
}

/** A pool that is used up is why everything is slow: callers wait for a connection. */
export function watchPool(metrics: Metrics, pool: CountedPool): void {
  metrics.gauges('turnpike_database_connections', () => ({
    used: pool.totalCount - pool.idleCount,
    idle: pool.idleCount,
  }));
  metrics.gauge('turnpike_database_waiting', () => pool.waitingCount);
}
