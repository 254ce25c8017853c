export type { ModelFiles, OpenedFile } from './model-files.ts';
export { createModel, type GuardedModel, type ModelSettings } from './create-model.ts';
export type { DraftedCall, MessageBatches, RouteOfBatch, Submitted } from './batches/message-batches.ts';
export type { ModelSecrets } from './key-values.ts';
export { type ModelLimits } from './limits.ts';
export { sharedRetryBudget, type RetryBudget, type RetryBudgetSettings } from './retry-budget.ts';
export { readPrices, type PriceTable } from './prices.ts';
export type { CloudSettings, ModelIds } from './clouds/cloud-settings.ts';
