import { EventSource } from 'eventsource';
import { EVENT_TYPES } from '@turnpike/contract';
import type { Cluster } from '../../support/cluster.ts';

export interface SeenEvent {
  type: string;
  [field: string]: unknown;
}

/** Follows a turn over SSE to its end; all events, previews too. */
export function followTurn(cluster: Cluster, turnId: string): Promise<SeenEvent[]> {
  const seen: SeenEvent[] = [];
  const source = new EventSource(`${cluster.url}/v1/turns/${turnId}/events`, {
    fetch: (url, init) =>
      fetch(url, { ...init, headers: { ...init.headers, authorization: `Bearer ${cluster.apiKey}` } }),
  });
  return new Promise((resolve) => {
    for (const type of EVENT_TYPES) {
      source.addEventListener(type, (message) => {
        seen.push(JSON.parse(String(message.data)) as SeenEvent);
        if (!/^turn\.(completed|failed|cancelled|incomplete)$/.test(type)) return;
        source.close();
        resolve(seen);
      });
    }
  });
}
