import type { Backplane } from '@turnpike/backplane';
import { readTurnBacklog, readWaitingByPool, readWaitingForTools, type Database } from '@turnpike/store';
import { rememberRead, watchPool, type Metrics } from '@turnpike/telemetry';
import type { BodyMemory } from './body-memory.ts';
import type { EventStreams } from './streams/event-streams.ts';
import type { TurnWaiters } from './turn-waiters.ts';

/** The database is asked at most this often, however many scrapers there are. */
const KEEP_MS = 5_000;

export interface ApiParts {
  metrics: Metrics;
  database: Database;
  backplane: Backplane;
  waiters: TurnWaiters;
  streams: EventStreams;
  bodies: BodyMemory;
}

/**
 * Registers the gauges of an API process. Those about turns that wait for workers are here, since they matter most
 * when no worker runs.
 */
export function watchProcess({ metrics, database, backplane, waiters, streams, bodies }: ApiParts): void {
  metrics.gauge('turnpike_long_polls', () => waiters.count);
  metrics.gauge('turnpike_event_streams', () => streams.count);
  metrics.gauge('turnpike_body_bytes', () => bodies.bytes);
  const turns = rememberRead(() => readTurnBacklog(database.pool), KEEP_MS);
  metrics.gauges('turnpike_turns_waiting', async () => {
    const { ready, dispatched, delayed } = await turns();
    return { ready, dispatched, delayed };
  });
  metrics.gauges('turnpike_turns_oldest_waiting_seconds', async () => {
    const { readySeconds, dispatchedSeconds } = await turns();
    return { ready: readySeconds, dispatched: dispatchedSeconds };
  });
  const pools = rememberRead(() => readWaitingByPool(database.pool), KEEP_MS);
  metrics.gauges('turnpike_pool_oldest_waiting_seconds', async () =>
    Object.fromEntries((await pools()).map((waiting) => [waiting.pool, waiting.oldestSeconds])),
  );
  const stranded = rememberRead(() => readWaitingForTools(database.pool), KEEP_MS);
  metrics.gauges('turnpike_turns_waiting_for_tool', async () =>
    Object.fromEntries((await stranded()).map((waiting) => [waiting.pool, waiting.turns])),
  );
  metrics.gauges('turnpike_turns_oldest_waiting_for_tool_seconds', async () =>
    Object.fromEntries((await stranded()).map((waiting) => [waiting.pool, waiting.oldestSeconds])),
  );
  const depths = rememberRead(async () => {
    const [ofTurns, deliveries] = await Promise.all([backplane.depth(), backplane.deliveries.depth()]);
    return { turns: ofTurns, deliveries };
  }, KEEP_MS);
  for (const state of ['waiting', 'active'] as const) {
    metrics.gauges(`turnpike_queue_${state}`, async () => {
      const { turns: ofTurns, deliveries } = await depths();
      return { turns: ofTurns[state], deliveries: deliveries[state] };
    });
  }
  watchPool(metrics, database.pool);
}
