import type { Logger, Metrics, Report } from '@turnpike/telemetry';
import { runPasses } from '@turnpike/store';
import { Reconciliation, type ReconcileSettings } from '@turnpike/turns';

export interface ReconcilerParts {
  parts: ConstructorParameters<typeof Reconciliation>[0];
  settings: ReconcileSettings & { reconcileEveryMs: number };
  logger: Logger;
  metrics: Metrics;
  warn: Report;
}

/** Runs the reconciler, counts what it repairs, and logs repairs after lost work. Returns the function that stops it. */
export function runReconciler({
  parts,
  settings,
  logger,
  metrics,
  warn,
}: ReconcilerParts): () => Promise<void> {
  const reconciliation = new Reconciliation(parts, settings);
  const passes = runPasses({
    everyMs: settings.reconcileEveryMs,
    async pass() {
      const repairs = await reconciliation.pass();
      for (const [kind, count] of Object.entries(repairs)) metrics.repairs.inc({ kind }, count);
      if (repairs.expiredLeases + repairs.lostJobs > 0)
        logger.info('Reconciler repaired state.', { ...repairs });
    },
    onError: warn('A reconciler pass failed; the next one continues.'),
  });
  return () => passes.stop();
}
