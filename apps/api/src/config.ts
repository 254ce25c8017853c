import { readEnvironment, type KeySettings } from '@turnpike/secrets';
import { tracingSettings, tracingVariables } from '@turnpike/telemetry';
import { retentionSettings, retentionVariables } from '@turnpike/turns';
import { z } from 'zod';
import { STREAM_DEFAULTS } from './streams/event-streams.ts';
import { readTrustedProxies } from './trust-proxy.ts';

const MIB = 1024 * 1024;
const milliseconds = z.coerce.number().int().min(1);

/** Comma-separated; empty: none. */
const listed = (entry: z.ZodType<string, string>) =>
  z
    .string()
    .default('')
    .transform((list) => list.split(',').flatMap((text) => text.trim() || []))
    .pipe(z.array(entry));

/** As a browser writes it: no path, no slash at its end, and never a wildcard. */
function isOrigin(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url !== null && /^https?:$/.test(url.protocol) && url.origin === text && !text.includes('*');
}

const environmentSchema = z
  .object({
    HOST: z.string().min(1).default('0.0.0.0'),
    PORT: z.coerce.number().int().min(0).max(65_535).default(3000),
    DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }),
    BACKPLANE_URL: z.url({ protocol: /^(rediss?|postgres(ql)?)$/ }).optional(),
    REDIS_URL: z.url({ protocol: /^rediss?$/ }).optional(),
    BACKPLANE_PREFIX: z.string().min(1).max(64).default('turnpike'),
    DATABASE_POOL_SIZE: z.coerce.number().int().min(2).max(1000).default(20),
    MAX_BODY_BYTES: z.coerce
      .number()
      .int()
      .min(1024)
      .default(32 * MIB),
    /** Of all request bodies that this process holds at once, half of it of one tenant. */
    MAX_BODY_BYTES_IN_FLIGHT: z.coerce
      .number()
      .int()
      .min(1024)
      .default(128 * MIB),
    /** Origins whose pages may call the API from a browser, comma-separated; empty: none. */
    CORS_ORIGINS: listed(z.string().refine(isOrigin, 'must be origins such as https://app.example.com')),
    /** Private addresses, ranges or names that webhooks may reach, comma-separated: as the workers have it. */
    EGRESS_ALLOW: listed(z.string()),
    RECONCILE_EVERY_MS: milliseconds.default(1_000),
    HINT_AGE_MS: milliseconds.default(5_000),
    MAX_LOST_LEASES: z.coerce.number().int().min(1).default(5),
    /** Streams of events at once, of this process and of one tenant in it. */
    MAX_STREAMS: z.coerce.number().int().min(1).default(STREAM_DEFAULTS.maxStreams),
    MAX_STREAMS_PER_TENANT: z.coerce.number().int().min(1).default(STREAM_DEFAULTS.maxStreamsPerTenant),
    /** The proxies whose word for a client's address is taken: their number, or addresses, comma-separated. */
    TRUST_PROXY: z
      .string()
      .default('')
      .transform((text, context) => {
        const trusted = readTrustedProxies(text);
        if (trusted !== null) return trusted;
        context.addIssue(
          'must be the number of proxies (up to 16), or addresses and ranges, loopback, linklocal, uniquelocal',
        );
        return z.NEVER;
      }),
    SHUTDOWN_MS: milliseconds.default(10_000),
    /** How long it is not ready and serves on before it stops. Default: five seconds in production, else none. */
    SHUTDOWN_DELAY_MS: z.coerce.number().int().min(0).max(600_000).optional(),
    NODE_ENV: z.string().optional(),
    /** Where `/metrics` is answered; nowhere where left out. */
    METRICS_PORT: z.coerce.number().int().min(0).max(65_535).optional(),
    METRICS_HOST: z.string().min(1).default('127.0.0.1'),
    LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
    LOG_FORMAT: z.enum(['json', 'pretty']).default('json'),
    ...retentionVariables,
    ...tracingVariables,
  })
  .refine((given) => given.MAX_BODY_BYTES_IN_FLIGHT >= given.MAX_BODY_BYTES, {
    path: ['MAX_BODY_BYTES_IN_FLIGHT'],
    message: 'must be MAX_BODY_BYTES at least',
  })
  .transform((environment) => ({
    host: environment.HOST,
    port: environment.PORT,
    databaseUrl: environment.DATABASE_URL,
    backplaneUrl: environment.BACKPLANE_URL ?? environment.REDIS_URL ?? environment.DATABASE_URL,
    backplanePrefix: environment.BACKPLANE_PREFIX,
    databasePoolSize: environment.DATABASE_POOL_SIZE,
    maxBodyBytes: environment.MAX_BODY_BYTES,
    maxBodyBytesInFlight: environment.MAX_BODY_BYTES_IN_FLIGHT,
    corsOrigins: environment.CORS_ORIGINS,
    egressAllow: environment.EGRESS_ALLOW,
    reconcileEveryMs: environment.RECONCILE_EVERY_MS,
    jobAgeMs: environment.HINT_AGE_MS,
    maxLostLeases: environment.MAX_LOST_LEASES,
    ...retentionSettings(environment),
    streams: {
      ...STREAM_DEFAULTS,
      maxStreams: environment.MAX_STREAMS,
      maxStreamsPerTenant: environment.MAX_STREAMS_PER_TENANT,
    },
    trustProxy: environment.TRUST_PROXY,
    shutdownMs: environment.SHUTDOWN_MS,
    shutdownDelayMs: environment.SHUTDOWN_DELAY_MS ?? (environment.NODE_ENV === 'production' ? 5_000 : 0),
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
