import type { RetryBudget } from '@turnpike/model';
import type { TurnMetrics } from './turn-metrics.ts';

/** The same retry budget; its refusals are counted. */
export function countRefusals(budget: RetryBudget, { modelRetriesRefused }: TurnMetrics): RetryBudget {
  return {
    async take(key) {
      const granted = await budget.take(key);
      if (!granted) modelRetriesRefused.inc();
      return granted;
    },
    deposit: (key, wasRetry) => budget.deposit(key, wasRetry),
  };
}
