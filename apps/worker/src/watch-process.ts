import type { CallGuard } from '@turnpike/egress';
import type { GuardedModel } from '@turnpike/model';
import { countOpenReceivers, readDeliveryBacklog, type Database } from '@turnpike/store';
import { rememberRead, watchPool, type Metrics } from '@turnpike/telemetry';
import type { TurnRunner } from './run-turns.ts';

/** One scrape asks several gauges. */
const KEEP_MS = 2_000;

export interface WorkerParts {
  metrics: Metrics;
  database: Database;
  guard: CallGuard;
  model: GuardedModel;
  runner: TurnRunner;
}

/** The numbers of a worker that are read when they are asked for. */
export function watchProcess({ metrics, database, guard, model, runner }: WorkerParts): void {
  metrics.gauge('turnpike_tool_breakers_open', 'Origins of tools that are left alone now.', () => {
    const { open, half_open: halfOpen } = guard.states();
    return open + halfOpen;
  });
  metrics.gauge('turnpike_model_breakers_open', 'Models of tenants that are left alone now.', () => {
    const { open, half_open: halfOpen } = model.breakers();
    return open + halfOpen;
  });
  metrics.gauge('turnpike_leases_held', 'Turns that this worker runs now.', () => runner.held);
  metrics.gauge(
    'turnpike_webhook_breakers_open',
    'Webhook receivers that are left alone or probed now, of all workers.',
    () => countOpenReceivers(database.pool),
  );
  const backlog = rememberRead(() => readDeliveryBacklog(database.pool), KEEP_MS);
  metrics.gauge(
    'turnpike_webhook_deliveries_due',
    'Webhook deliveries that are due, of all workers.',
    async () => (await backlog()).due,
  );
  metrics.gauge(
    'turnpike_webhook_oldest_due_seconds',
    'How long the oldest of them has been due.',
    async () => (await backlog()).oldestSeconds,
  );
  watchPool(metrics, database.pool);
}
