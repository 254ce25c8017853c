import { isFinal, type TypedEmitter } from '@turnpike/contract';
import type { Metrics } from '@turnpike/telemetry';
import type { LeaseEvents } from '@turnpike/turns';
import type { TurnMetrics } from './turn-metrics.ts';

/** Counts what happens to leases, for /metrics. */
export function countLeases(
  events: TypedEmitter<LeaseEvents>,
  { metrics, turnMetrics }: { metrics: Metrics; turnMetrics: TurnMetrics },
): void {
  events
    .on('claimed', ({ turn }) => {
      if (turn.attempts > 1) return;
      turnMetrics.dispatches.observe(Math.max(0, turn.claimedAt - turn.acceptedAt) / 1000);
    })
    .on('stepCompleted', (_lease, { type }) => turnMetrics.steps.inc({ type }))
    .on('ended', (lease, status) => {
      if (status === null) {
        metrics.leasesLost.inc();
        return;
      }
      metrics.turnsReleased.inc({ status });
      if (!isFinal(status)) return;
      const lastedMs = lease.now() - lease.turn.acceptedAt;
      turnMetrics.turns.observe({ status }, Math.max(0, lastedMs) / 1000);
    });
}
