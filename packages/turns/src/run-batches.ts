import { runPasses } from '@turnpike/store';
import type { BatchFeeder, Feeding } from './feed-batches.ts';

export interface RunningBatches {
  /** A pass over a tenant's batches soon: one was added or changed. */
  nudge(tenantId: string): void;
  /** As `nudge`, for those of the tenants that have batches: a turn has ended, perhaps one of theirs. */
  turnsChanged(tenantIds: Iterable<string>): void;
  /** Resolves once the pass under way has ended. */
  stop(): Promise<void>;
}

/** Feeds the batches of all tenants, about `everyMs` apart, and those of one tenant soon after a nudge. */
export function runBatches(parts: {
  feeder: BatchFeeder;
  everyMs: number;
  onFed: (feeding: Feeding) => void;
  onError: (error: unknown) => void;
}): RunningBatches {
  const { feeder, everyMs, onFed, onError } = parts;
  const nudged = new Set<string>();
  /** Tenants that had open batches at the last pass over all, or were given one since. */
  let busy = new Set<string>();
  let lastWhole = -Infinity;

  const feed = async (): Promise<Feeding> => {
    const ofNudged = [...nudged];
    nudged.clear();
    if (performance.now() - lastWhole < everyMs / 2) return feeder.passOf(ofNudged);
    const feeding = await feeder.pass();
    lastWhole = performance.now();
    busy = new Set([...feeding.tenants, ...nudged]);
    return feeding;
  };
  const passes = runPasses({
    everyMs,
    onError,
    async pass() {
      const feeding = await feed();
      onFed(feeding);
      feeding.errors.forEach((error) => onError(error));
    },
  });
  const nudge = (tenantId: string): void => {
    busy.add(tenantId);
    nudged.add(tenantId);
    passes.nudge();
  };
  return {
    nudge,
    turnsChanged(tenantIds) {
      for (const tenantId of tenantIds) if (busy.has(tenantId)) nudge(tenantId);
    },
    stop: () => passes.stop(),
  };
}
