import type { Metrics } from './metrics.ts';

/** The numbers of a `pg` connection pool. */
export interface CountedPool {
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
}

/** Adds metrics of a connection pool: where all connections are used, callers wait for one. */
export function watchPool(metrics: Metrics, pool: CountedPool): void {
  metrics.gauges('turnpike_database_connections', () => ({
    used: pool.totalCount - pool.idleCount,
    idle: pool.idleCount,
  }));
  metrics.gauge('turnpike_database_waiting', () => pool.waitingCount);
}
