import { DEFAULT_POOL, poolNameSchema } from '@turnpike/contract';
import { runtimeSettings, runtimeVariables } from '@turnpike/runtime';
import { readEnvironment, type KeySettings } from '@turnpike/secrets';
import { Secret } from '@turnpike/telemetry';
import { DEFAULT_RETRY_SCHEDULE, retryScheduleSchema } from '@turnpike/webhooks';
import { z } from 'zod';
import { providerVariables, readCloud } from './model-provider.ts';

const milliseconds = z.coerce.number().int().min(1);
const DAY_MS = 24 * 60 * 60 * 1000;

/** Every variable that a worker reads, except those of the master keys. Their descriptions are in the reference. */
export const environmentVariables = z.object({
  ...runtimeVariables,
  ANTHROPIC_API_KEY: z
    .string()
    .min(1)
    .optional()
    .describe("The operator's own model key, for tenants that may use it.")
    .meta({ unset: 'each tenant brings its own' }),
  ANTHROPIC_BASE_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('A gateway that speaks the Messages API.')
    .meta({ unset: 'the public API' }),
  ...providerVariables,
  TURNPIKE_PRICES: z
    .string()
    .min(1)
    .optional()
    .describe("Path of the operator's own price table. It overrides the bundled one, model by model.")
    .meta({ unset: 'the bundled table' }),
  MODEL_KEY_TTL_MS: milliseconds
    .max(3_600_000)
    .default(60_000)
    .describe(
      "How long a worker caches a tenant's model key after it was replaced or deleted. Milliseconds.",
    ),
  MODEL_BATCH_WINDOW_MS: milliseconds
    .max(3_600_000)
    .default(60_000)
    .describe(
      'How long a model call of the tier `batch` waits for others of its tenant, to share a batch. Milliseconds.',
    ),
  MODEL_BATCH_SIZE: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000)
    .default(1_000)
    .describe('The most model calls of one batch. With as many, it does not wait for its window.'),
  MODEL_BATCH_POLL_MS: milliseconds
    .max(3_600_000)
    .default(60_000)
    .describe('Time between two requests that ask whether a batch has ended. Milliseconds.'),
  MODEL_BATCH_SUBMIT_MS: milliseconds
    .min(1_000)
    .max(3_600_000)
    .default(120_000)
    .describe(
      'A batch whose submission has no known end after this time is looked for at the model API. Milliseconds.',
    ),
  WORKER_POOL: poolNameSchema
    .default(DEFAULT_POOL)
    .describe('The pool of this worker: it runs the turns of agents that name this pool, and no others.'),
  CONCURRENCY: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000)
    .default(100)
    .describe('Turns that this worker runs at once. They mostly wait for I/O.'),
  LEASE_MS: milliseconds
    .min(500)
    .default(30_000)
    .describe('How long a lease lasts without a heartbeat. Milliseconds.'),
  DRAIN_MS: milliseconds
    .default(20_000)
    .describe('After `SIGTERM`: how long turns may take to reach the end of a step. Milliseconds.'),
  WEBHOOK_CONCURRENCY: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000)
    .default(20)
    .describe('Webhook deliveries that this worker makes at once.'),
  WEBHOOK_TIMEOUT_MS: milliseconds
    .min(100)
    .max(30_000)
    .default(20_000)
    .describe('Timeout of one webhook attempt. Milliseconds.'),
  WEBHOOK_RETRY_SCHEDULE: retryScheduleSchema
    .prefault(DEFAULT_RETRY_SCHEDULE)
    .describe('Waits between the attempts of a delivery, such as `5s,5m,2h`.'),
  WEBHOOK_DISABLE_AFTER_MS: milliseconds
    .default(5 * DAY_MS)
    .describe('An endpoint whose attempts have all failed for this long is disabled. Milliseconds.'),
  WEBHOOK_RETENTION_DAYS: z.coerce
    .number()
    .int()
    .min(1)
    .max(3_650)
    .default(30)
    .describe('How long delivered deliveries are kept. Dead letters are kept twice as long. Days.'),
});

const environmentSchema = environmentVariables.transform((environment, context) => ({
  ...runtimeSettings(environment, context),
  modelApiKey:
    environment.ANTHROPIC_API_KEY === undefined ? undefined : new Secret(environment.ANTHROPIC_API_KEY),
  modelBaseUrl: environment.ANTHROPIC_BASE_URL,
  modelCloud: readCloud(environment, context),
  pricesPath: environment.TURNPIKE_PRICES,
  modelKeyTtlMs: environment.MODEL_KEY_TTL_MS,
  modelBatches: {
    windowMs: environment.MODEL_BATCH_WINDOW_MS,
    most: environment.MODEL_BATCH_SIZE,
    pollMs: environment.MODEL_BATCH_POLL_MS,
    submitMs: environment.MODEL_BATCH_SUBMIT_MS,
  },
  pool: environment.WORKER_POOL,
  concurrency: environment.CONCURRENCY,
  leaseMs: environment.LEASE_MS,
  drainMs: environment.DRAIN_MS,
  webhooks: {
    concurrency: environment.WEBHOOK_CONCURRENCY,
    timeoutMs: environment.WEBHOOK_TIMEOUT_MS,
    schedule: environment.WEBHOOK_RETRY_SCHEDULE,
    disableAfterMs: environment.WEBHOOK_DISABLE_AFTER_MS,
    keepMs: environment.WEBHOOK_RETENTION_DAYS * DAY_MS,
  },
}));

/** The settings of the program, with those of the master keys, which all programs share. */
export type Config = z.infer<typeof environmentSchema> & { keys: KeySettings };

/** Reads the environment. Throws one error that names every mistake in it. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  return readEnvironment(environmentSchema, environment);
}
