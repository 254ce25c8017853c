import { readEnvironment, type KeySettings } from '@turnpike/secrets';
import { Secret, tracingSettings, tracingVariables } from '@turnpike/telemetry';
import { retentionSettings, retentionVariables } from '@turnpike/turns';
import { DEFAULT_RETRY_SCHEDULE, retryScheduleSchema } from '@turnpike/webhooks';
import { z } from 'zod';

const milliseconds = z.coerce.number().int().min(1);
const DAY_MS = 24 * 60 * 60 * 1000;

const environmentSchema = z
  .object({
    DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }),
    BACKPLANE_URL: z.url({ protocol: /^(rediss?|postgres(ql)?)$/ }).optional(),
    REDIS_URL: z.url({ protocol: /^rediss?$/ }).optional(),
    BACKPLANE_PREFIX: z.string().min(1).max(64).default('turnpike'),
    /** The operator's own key, for tenants that may use it; without it, each tenant brings its own. */
    ANTHROPIC_API_KEY: z.string().min(1).optional(),
    ANTHROPIC_BASE_URL: z.url({ protocol: /^https?$/ }).optional(),
    /** A price table of the operator's own, which goes before the one that comes with Turnpike. */
    TURNPIKE_PRICES: z.string().min(1).optional(),
    /** How long a worker keeps a tenant's model key: one that is replaced or deleted is used so long. */
    MODEL_KEY_TTL_MS: milliseconds.max(3_600_000).default(60_000),
    /** Turns at once. They wait on I/O, so there can be many. */
    CONCURRENCY: z.coerce.number().int().min(1).max(10_000).default(100),
    LEASE_MS: milliseconds.min(500).default(30_000),
    DRAIN_MS: milliseconds.default(20_000),
    RECONCILE_EVERY_MS: milliseconds.default(1_000),
    HINT_AGE_MS: milliseconds.default(5_000),
    MAX_LOST_LEASES: z.coerce.number().int().min(1).default(5),
    /** Webhook deliveries at once. */
    WEBHOOK_CONCURRENCY: z.coerce.number().int().min(1).max(10_000).default(20),
    /** For one attempt. */
    WEBHOOK_TIMEOUT_MS: milliseconds.min(100).max(30_000).default(20_000),
    /** Waits between the attempts of a delivery, such as `5s,5m,2h`. */
    WEBHOOK_RETRY_SCHEDULE: retryScheduleSchema.default(retryScheduleSchema.parse(DEFAULT_RETRY_SCHEDULE)),
    /** An endpoint that only fails for so long is disabled. */
    WEBHOOK_DISABLE_AFTER_MS: milliseconds.default(5 * DAY_MS),
    /** How long deliveries that arrived are kept; dead letters twice as long. */
    WEBHOOK_RETENTION_DAYS: z.coerce.number().int().min(1).max(3_650).default(30),
    /** Private addresses, ranges or names that tools, webhooks and tenants' model gateways may reach, comma-separated: for development. */
    EGRESS_ALLOW: z
      .string()
      .default('')
      .transform((list) => list.split(',').flatMap((entry) => entry.trim() || [])),
    DATABASE_POOL_SIZE: z.coerce.number().int().min(2).max(1000).default(20),
    /** Where `/metrics` is answered; nowhere where left out. */
    METRICS_PORT: z.coerce.number().int().min(0).max(65_535).optional(),
    METRICS_HOST: z.string().min(1).default('127.0.0.1'),
    LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
    LOG_FORMAT: z.enum(['json', 'pretty']).default('json'),
    ...retentionVariables,
    ...tracingVariables,
  })
  .transform((environment) => ({
    databaseUrl: environment.DATABASE_URL,
    backplaneUrl: environment.BACKPLANE_URL ?? environment.REDIS_URL ?? environment.DATABASE_URL,
    backplanePrefix: environment.BACKPLANE_PREFIX,
    modelApiKey:
      environment.ANTHROPIC_API_KEY === undefined ? undefined : new Secret(environment.ANTHROPIC_API_KEY),
    modelBaseUrl: environment.ANTHROPIC_BASE_URL,
    pricesPath: environment.TURNPIKE_PRICES,
    modelKeyTtlMs: environment.MODEL_KEY_TTL_MS,
    concurrency: environment.CONCURRENCY,
    leaseMs: environment.LEASE_MS,
    drainMs: environment.DRAIN_MS,
    reconcileEveryMs: environment.RECONCILE_EVERY_MS,
    jobAgeMs: environment.HINT_AGE_MS,
    maxLostLeases: environment.MAX_LOST_LEASES,
    webhooks: {
      concurrency: environment.WEBHOOK_CONCURRENCY,
      timeoutMs: environment.WEBHOOK_TIMEOUT_MS,
      schedule: environment.WEBHOOK_RETRY_SCHEDULE,
      disableAfterMs: environment.WEBHOOK_DISABLE_AFTER_MS,
      keepMs: environment.WEBHOOK_RETENTION_DAYS * DAY_MS,
    },
    ...retentionSettings(environment),
    egressAllow: environment.EGRESS_ALLOW,
    databasePoolSize: environment.DATABASE_POOL_SIZE,
    metricsPort: environment.METRICS_PORT,
    metricsHost: environment.METRICS_HOST,
    logLevel: environment.LOG_LEVEL,
    logFormat: environment.LOG_FORMAT,
    tracing: tracingSettings(environment),
  }));

/** The master keys have settings of their own, which all programs share. */
export type Config = z.infer<typeof environmentSchema> & { keys: KeySettings };

/** Reads the environment. Throws one error that names every mistake in it. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  return readEnvironment(environmentSchema, environment);
}
