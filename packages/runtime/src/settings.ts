import { PREFIX_SHAPE, redisSettings, redisVariables } from '@turnpike/backplane';
import { fileSettings, fileVariables } from '@turnpike/files';
import type { KeySettings } from '@turnpike/secrets';
import { tracingSettings, tracingVariables } from '@turnpike/telemetry';
import { retentionSettings, retentionVariables } from '@turnpike/turns';
import { z } from 'zod';

const milliseconds = z.coerce.number().int().min(1);

/** The environment variables that the API and the workers share, except the variables of the master keys. */
export const runtimeVariables = {
  DATABASE_URL: z
    .url({ protocol: /^postgres(ql)?$/ })
    .describe('Postgres, the source of truth. `?schema=` names the schema.'),
  DATABASE_POOL_SIZE: z.coerce
    .number()
    .int()
    .min(2)
    .max(1000)
    .default(20)
    .describe('The most connections to Postgres of this process.'),
  BACKPLANE_URL: z
    .url({ protocol: /^(rediss?|postgres(ql)?)$/ })
    .optional()
    .describe('The backplane: Redis, or Postgres for a small installation.')
    .meta({ unset: '`REDIS_URL`, else `DATABASE_URL`' }),
  REDIS_URL: z
    .url({ protocol: /^rediss?$/ })
    .optional()
    .describe('The backplane, where `BACKPLANE_URL` is not set.'),
  BACKPLANE_PREFIX: z
    .string()
    .min(1)
    .max(64)
    .regex(PREFIX_SHAPE, 'may have one pair of braces, with text in it')
    .default('turnpike')
    .describe(
      'Prefix of every key in Redis. It separates installations that share one Redis. Put into braces where it has none: `{turnpike}`.',
    ),
  ...redisVariables,
  RECONCILE_EVERY_MS: milliseconds
    .default(1_000)
    .describe('Time between two passes of the reconciler. Milliseconds.'),
  JOB_AGE_MS: milliseconds
    .default(5_000)
    .describe('A job that no worker has claimed for this long is added to the queue again. Milliseconds.'),
  TOOL_WAIT_MS: milliseconds
    .default(10_000)
    .describe(
      'A turn whose pool has no live worker with its tools says so (`waiting_for`) after this time. Milliseconds.',
    ),
  MAX_LOST_LEASES: z.coerce
    .number()
    .int()
    .min(1)
    .default(5)
    .describe('A turn fails with `max_attempts` once this many workers have lost their lease on it.'),
  EGRESS_ALLOW: z
    .string()
    .default('')
    .transform((list) => list.split(',').flatMap((entry) => entry.trim() || []))
    .describe(
      'Private addresses, ranges or names that tools, webhooks and model gateways may have, comma-separated. The same value for the API and the workers.',
    )
    .meta({ unset: 'none' }),
  METRICS_PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .optional()
    .describe('The port of `/metrics` and the probes.')
    .meta({ unset: 'neither' }),
  METRICS_HOST: z.string().min(1).default('127.0.0.1').describe('The address of `METRICS_PORT`.'),
  LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('The lowest level that is logged.'),
  LOG_FORMAT: z
    .enum(['json', 'pretty'])
    .default('json')
    .describe('`json`: one object per line. `pretty`: for a terminal.'),
  ...retentionVariables,
  ...fileVariables,
  ...tracingVariables,
};

const environmentSchema = z.object(runtimeVariables);

/** Those variables as settings, for the `transform` of a program's own schema, which gets an issue for each mistake. */
export function runtimeSettings(environment: z.output<typeof environmentSchema>, context: z.RefinementCtx) {
  const backplaneUrl = environment.BACKPLANE_URL ?? environment.REDIS_URL;
  return {
    databaseUrl: environment.DATABASE_URL,
    databasePoolSize: environment.DATABASE_POOL_SIZE,
    backplaneUrl: backplaneUrl ?? environment.DATABASE_URL,
    backplanePrefix: environment.BACKPLANE_PREFIX,
    redis: redisSettings(environment, backplaneUrl, context),
    reconcileEveryMs: environment.RECONCILE_EVERY_MS,
    jobAgeMs: environment.JOB_AGE_MS,
    toolWaitMs: environment.TOOL_WAIT_MS,
    maxLostLeases: environment.MAX_LOST_LEASES,
    egressAllow: environment.EGRESS_ALLOW,
    metricsPort: environment.METRICS_PORT,
    metricsHost: environment.METRICS_HOST,
    logLevel: environment.LOG_LEVEL,
    logFormat: environment.LOG_FORMAT,
    ...retentionSettings(environment),
    files: fileSettings(environment),
    tracing: tracingSettings(environment),
  };
}

/** What `openRuntime` needs. The settings of the master keys come from \`readEnvironment\`. */
export type RuntimeSettings = ReturnType<typeof runtimeSettings> & { keys: KeySettings };
