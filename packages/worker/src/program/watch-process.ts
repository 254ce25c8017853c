import type { CallGuard } from '@turnpike/egress';
import type { GuardedModel } from '@turnpike/model';
import { countOpenReceivers, readDeliveryBacklog, type Database } from '@turnpike/store';
import { rememberRead, watchPool, type Metrics } from '@turnpike/telemetry';
import type { TurnRunner } from './run-turns.ts';

/** Several gauges of one scrape share a read. */
const KEEP_MS = 2_000;

export interface WorkerParts {
  metrics: Metrics;
  database: Database;
  guard: CallGuard;
  model: GuardedModel;
  runner: TurnRunner;
}

/** Registers the gauges of a worker. */
export function watchProcess({ metrics, database, guard, model, runner }: WorkerParts): void {
  metrics.gauge('turnpike_tool_breakers_open', () => {
    const { open, half_open: halfOpen } = guard.states();
    return open + halfOpen;
  });
  metrics.gauge('turnpike_model_breakers_open', () => {
    const { open, half_open: halfOpen } = model.breakers();
    return open + halfOpen;
  });
  metrics.gauge('turnpike_leases_held', () => runner.held);
  metrics.gauge('turnpike_webhook_breakers_open', () => countOpenReceivers(database.pool));
  const backlog = rememberRead(() => readDeliveryBacklog(database.pool), KEEP_MS);
  metrics.gauge('turnpike_webhook_deliveries_due', async () => (await backlog()).due);
  metrics.gauge('turnpike_webhook_oldest_due_seconds', async () => (await backlog()).oldestSeconds);
  watchPool(metrics, database.pool);
}
