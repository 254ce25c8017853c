import type { Backplane } from '@turnpike/backplane';
import { readTurnBacklog, type Database } from '@turnpike/store';
import { rememberRead, watchPool, type Metrics } from '@turnpike/telemetry';
import type { BodyMemory } from './body-memory.ts';
import type { EventStreams } from './streams/event-streams.ts';
import type { TurnWaiters } from './turn-waiters.ts';

/** However often it is scraped, and by however many: no more than one look in so long. */
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
 * The numbers of an API process that are read when they are asked for. What waits for workers is told here:
 * it matters most when there are none.
 */
export function watchProcess({ metrics, database, backplane, waiters, streams, bodies }: ApiParts): void {
  metrics.gauge('turnpike_long_polls', 'Clients that wait for a turn now.', () => waiters.count);
  metrics.gauge('turnpike_event_streams', 'Clients that follow events now.', () => streams.count);
  metrics.gauge('turnpike_body_bytes', 'Bytes of request bodies that are held now.', () => bodies.bytes);
  const turns = rememberRead(() => readTurnBacklog(database.pool), KEEP_MS);
  metrics.gauges(
    'turnpike_turns_waiting',
    'Turns that wait, counted up to 100,000 each: ready (for a place), dispatched (for a worker), delayed (for a time).',
    'state',
    async () => {
      const { ready, dispatched, delayed } = await turns();
      return { ready, dispatched, delayed };
    },
  );
  metrics.gauges(
    'turnpike_turns_oldest_waiting_seconds',
    'How long the oldest of them has waited in that state.',
    'state',
    async () => {
      const { readySeconds, dispatchedSeconds } = await turns();
      return { ready: readySeconds, dispatched: dispatchedSeconds };
    },
  );
  const depths = rememberRead(async () => {
    const [ofTurns, deliveries] = await Promise.all([backplane.depth(), backplane.deliveries.depth()]);
    return { turns: ofTurns, deliveries };
  }, KEEP_MS);
  for (const state of ['waiting', 'active'] as const) {
    metrics.gauges(
      `turnpike_queue_${state}`,
      state === 'waiting' ? 'Jobs in the queue, by lane.' : 'Jobs that a worker works on, by lane.',
      'lane',
      async () => {
        const { turns: ofTurns, deliveries } = await depths();
        return { turns: ofTurns[state], deliveries: deliveries[state] };
      },
    );
  }
  watchPool(metrics, database.pool);
}
