import { runtimeSettings, runtimeVariables } from '@turnpike/runtime';
import { readEnvironment, type KeySettings } from '@turnpike/secrets';
import { z } from 'zod';
import { DIALECTS } from './dialects/dialects.ts';
import { STREAM_DEFAULTS } from './streams/event-streams.ts';
import { readTrustedProxies } from './trust-proxy.ts';

const MIB = 1024 * 1024;
/** What stands in `TRACE_URL` for the id of a trace. */
const TRACE_ID = '{trace_id}';
const milliseconds = z.coerce.number().int().min(1);

/** As a browser writes it: no path, no slash at its end, and never a wildcard. */
function isOrigin(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url !== null && /^https?:$/.test(url.protocol) && url.origin === text && !text.includes('*');
}

/** Every variable that the API reads, except those of the master keys. Their descriptions are in the reference. */
export const environmentVariables = z.object({
  ...runtimeVariables,
  DATABASE_READ_URL: z
    .url({ protocol: /^postgres(ql)?$/ })
    .optional()
    .describe(
      'A standby of the Postgres of `DATABASE_URL`, which lists and usage are read from while it is not too far behind. Nothing that decides anything is.',
    )
    .meta({ unset: 'all is read from `DATABASE_URL`' }),
  DATABASE_READ_LAG_MS: milliseconds
    .default(5_000)
    .describe(
      'How old may be what is read from `DATABASE_READ_URL`; else the primary is asked. Milliseconds.',
    ),
  METRICS_PORT: runtimeVariables.METRICS_PORT.meta({ unset: 'no metrics; the probes are on `PORT` too' }),
  HOST: z.string().min(1).default('0.0.0.0').describe('The address that the API listens on.'),
  PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(3000)
    .describe('The port that the API listens on.'),
  MAX_BODY_BYTES: z.coerce
    .number()
    .int()
    .min(1024)
    .default(32 * MIB)
    .describe('The largest request body that is accepted.'),
  MAX_BODY_BYTES_IN_FLIGHT: z.coerce
    .number()
    .int()
    .min(1024)
    .default(128 * MIB)
    .describe(
      'The most bytes of request bodies that this process holds at once; half of that for one tenant. At least `MAX_BODY_BYTES`.',
    ),
  CORS_ORIGINS: z
    .string()
    .default('')
    .transform((list) => list.split(',').flatMap((origin) => origin.trim() || []))
    .pipe(z.array(z.string().refine(isOrigin, 'must be origins such as https://app.example.com')))
    .describe('Origins whose pages may call the API from a browser, comma-separated.')
    .meta({ unset: 'none' }),
  MODEL_BETAS: z
    .string()
    .default('')
    .transform((list) => list.split(',').flatMap((beta) => beta.trim() || []))
    .describe('Betas of the Messages API that agents and turns may name (`betas`), comma-separated.')
    .meta({ unset: 'none' }),
  DIALECTS: z
    .string()
    .default(DIALECTS.map(({ name }) => name).join(','))
    .transform((list) => list.split(',').flatMap((name) => name.trim() || []))
    .transform((names) => (names.length === 1 && names[0] === 'none' ? [] : names))
    .pipe(z.array(z.enum(DIALECTS.map(({ name }) => name))))
    .describe(
      'The APIs of others whose clients may use this one, comma-separated: `openai`, `a2a`, `claude-agents`, `ai-sdk`. `none` turns all off.',
    ),
  DIALECT_WAIT_MS: milliseconds
    .default(600_000)
    .describe(
      'How long a request of a dialect that waits for its turn is held back at most; then it gets the turn as it is. Milliseconds.',
    ),
  CONSOLE: z.enum(['on', 'off']).default('on').describe('Whether the console is served at `/console`.'),
  TRACE_URL: z
    .url({ protocol: /^https?$/ })
    .refine((url) => url.includes(TRACE_ID), `must contain ${TRACE_ID}`)
    .optional()
    .describe(
      'Where a trace is looked at, with `{trace_id}` for its id: the console links there from each turn. Such as `https://tracing.invalid/trace/{trace_id}`.',
    )
    .meta({ unset: 'no links' }),
  LOG_REQUESTS: z.coerce
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe(
      'The share of successful requests that are logged, chosen by chance. Those that fail, with 400 and more, all are.',
    ),
  MAX_STREAMS: z.coerce
    .number()
    .int()
    .min(1)
    .default(STREAM_DEFAULTS.maxStreams)
    .describe('The most event streams that this process keeps open.'),
  MAX_STREAMS_PER_TENANT: z.coerce
    .number()
    .int()
    .min(1)
    .default(STREAM_DEFAULTS.maxStreamsPerTenant)
    .describe('The most event streams of one tenant in this process.'),
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
    })
    .describe(
      'The proxies whose `X-Forwarded-For` is believed: their number, or their addresses and ranges, comma-separated.',
    )
    .meta({ unset: 'none' }),
  SHUTDOWN_MS: milliseconds
    .default(10_000)
    .describe('After `SIGTERM`: how long requests in progress may take. Milliseconds.'),
  SHUTDOWN_DELAY_MS: z.coerce
    .number()
    .int()
    .min(0)
    .max(600_000)
    .optional()
    .describe('After `SIGTERM`: how long the API reports not ready and still serves. Milliseconds.')
    .meta({ unset: '`5000` where `NODE_ENV=production`, else `0`' }),
  NODE_ENV: z.string().optional().describe('Only decides the default of `SHUTDOWN_DELAY_MS`.'),
});

const environmentSchema = environmentVariables
  .refine((given) => given.MAX_BODY_BYTES_IN_FLIGHT >= given.MAX_BODY_BYTES, {
    path: ['MAX_BODY_BYTES_IN_FLIGHT'],
    message: 'must be MAX_BODY_BYTES at least',
  })
  .transform((environment, context) => ({
    ...runtimeSettings(environment, context),
    host: environment.HOST,
    port: environment.PORT,
    maxBodyBytes: environment.MAX_BODY_BYTES,
    maxBodyBytesInFlight: environment.MAX_BODY_BYTES_IN_FLIGHT,
    corsOrigins: environment.CORS_ORIGINS,
    modelBetas: environment.MODEL_BETAS,
    dialects: DIALECTS.filter(({ name }) => environment.DIALECTS.includes(name)),
    loggedRequests: environment.LOG_REQUESTS,
    databaseReadUrl: environment.DATABASE_READ_URL ?? null,
    databaseReadLagMs: environment.DATABASE_READ_LAG_MS,
    console: environment.CONSOLE === 'on' ? { traceUrl: environment.TRACE_URL ?? null } : null,
    dialectWaitMs: environment.DIALECT_WAIT_MS,
    streams: {
      ...STREAM_DEFAULTS,
      maxStreams: environment.MAX_STREAMS,
      maxStreamsPerTenant: environment.MAX_STREAMS_PER_TENANT,
    },
    trustProxy: environment.TRUST_PROXY,
    shutdownMs: environment.SHUTDOWN_MS,
    shutdownDelayMs: environment.SHUTDOWN_DELAY_MS ?? (environment.NODE_ENV === 'production' ? 5_000 : 0),
  }));

/** The settings of the program, with those of the master keys, which all programs share. */
export type Config = z.infer<typeof environmentSchema> & { keys: KeySettings };

/** Reads the environment. Throws one error that names every mistake in it. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  return readEnvironment(environmentSchema, environment);
}
