import { createModel, readPrices, sharedRetryBudget, type GuardedModel } from '@turnpike/model';
import type { Runtime } from '@turnpike/runtime';
import type { Config } from './config.ts';
import { countRefusals } from './count-refusals.ts';
import { filesForModel } from './turn-files.ts';
import type { TurnMetrics } from './turn-metrics.ts';

/** The model that all turns of this worker call. Throws for a price table that cannot be used. */
export function openModel(
  { backplane, database, files, secretBox, logger, warn }: Runtime,
  config: Config,
  turnMetrics: TurnMetrics,
): GuardedModel {
  return createModel({
    ...(config.modelApiKey === undefined ? {} : { apiKey: config.modelApiKey }),
    ...(config.modelBaseUrl === undefined ? {} : { baseUrl: config.modelBaseUrl }),
    ...(config.modelCloud === undefined ? {} : { cloud: config.modelCloud }),
    secrets: secretBox,
    files: filesForModel(database, files),
    egress: { allow: config.egressAllow },
    limits: { keyTtlMs: config.modelKeyTtlMs },
    logger,
    prices: readPrices(config.pricesPath),
    retryBudget: countRefusals(
      sharedRetryBudget(
        backplane.retryBudget,
        warn('The shared retry budget is not available; this process uses its own.'),
      ),
      turnMetrics,
    ),
  });
}
