import { redisSettings, redisVariables, type RedisSettings } from '@turnpike/backplane';
import { MODEL_PROVIDERS, type ModelProvider } from '@turnpike/contract';
import { keySettingsSchema, type KeySettings } from '@turnpike/secrets';
import { z } from 'zod';
import { readCommandEnvironment } from './development/command-environment.ts';
import { Failure } from './failure.ts';

/** Where model calls go, unless another address is set. */
export const PUBLIC_MODEL_API = 'https://api.anthropic.com';

const postgresUrl = z.url({ protocol: /^postgres(ql)?$/, error: 'must be a postgres:// URL' });
const milliseconds = z.coerce.number().int().min(1);

/** This machine, where a developer's tools and webhooks run. */
const THIS_MACHINE = '127.0.0.0/8,::1,localhost';

/** Every variable that the command line reads, but for those of the master keys. */
export const environmentVariables = z.object({
  DATABASE_URL: postgresUrl
    .optional()
    .describe('The database that commands work on, and that `start` uses.')
    .meta({ unset: '`start`: an embedded Postgres. Other commands: that of the `start` in this directory' }),
  MIGRATE_DATABASE_URL: postgresUrl
    .optional()
    .describe(
      'The address that `migrate` uses: past a pooler, or as another role. Behind another host or port than that of `DATABASE_URL`, the role of `DATABASE_URL` is given its settings too.',
    )
    .meta({ unset: '`DATABASE_URL`' }),
  MIGRATE_LOCK_TIMEOUT_MS: milliseconds
    .max(86_400_000)
    .default(60_000)
    .describe('How long `migrate` waits for another migration of the same database. Milliseconds.'),
  BACKPLANE_URL: z
    .url({ protocol: /^(rediss?|postgres(ql)?)$/ })
    .optional()
    .describe('`start`: the backplane that the programs use.')
    .meta({ unset: '`REDIS_URL`, else a `redis-server` on `PATH`, else Postgres' }),
  REDIS_URL: z
    .url({ protocol: /^rediss?$/, error: 'must be a redis:// URL' })
    .optional()
    .describe('`start`: the backplane, where `BACKPLANE_URL` is not set.'),
  ...redisVariables,
  ANTHROPIC_API_KEY: z
    .string()
    .optional()
    .describe('`start`: the model key.')
    .meta({ unset: 'a simulator responds' }),
  ANTHROPIC_BASE_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('`start`: a gateway that speaks the Messages API.')
    .meta({ unset: 'the public API' }),
  MODEL_PROVIDER: z
    .enum(MODEL_PROVIDERS)
    .default('anthropic')
    .describe('`start`: where model calls go, with the variables that the workers need for it.'),
  TURNPIKE_MASTER_KEYS: z
    .string()
    .optional()
    .describe('`start`: the master keys of a database of your own.')
    .meta({ unset: 'one is made and kept in `.turnpike`' }),
  PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .optional()
    .describe("`start`: the API's port; `--port` overrides it.")
    .meta({ unset: '`3000` if it is free, else another' }),
  TURNPIKE_URL: z
    .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' })
    .optional()
    .describe('`apply`, `export`: the API whose agents and tools are compared with the files.')
    .meta({ unset: 'that of the `start` in this directory' }),
  TURNPIKE_API_KEY: z
    .string()
    .optional()
    .describe(
      '`apply`, `export`: a key with the scopes `agents:write` and `tools:write`, or to look only `:read`.',
    )
    .meta({ unset: 'with `TURNPIKE_URL`: none. Else that of the `start` in this directory' }),
  PATH: z.string().default('').describe('Where `redis-server` is looked for.').meta({ unset: 'nowhere' }),
  LOG_FORMAT: z.string().default('pretty').describe('`start`: the log format of the programs.'),
  EGRESS_ALLOW: z
    .string()
    .default(THIS_MACHINE)
    .describe('`start`: private addresses that tools and webhooks may have, comma-separated.'),
  DRAIN_MS: milliseconds
    .default(20_000)
    .describe('`start`: how long a worker may take to stop. Milliseconds.'),
  SHUTDOWN_MS: milliseconds
    .default(10_000)
    .describe('`start`: how long the API may take to stop. Milliseconds.'),
});

const startVariables = environmentVariables.transform((environment, context) => {
  const backplaneUrl = environment.BACKPLANE_URL ?? environment.REDIS_URL;
  return { ...environment, backplaneUrl, redis: redisSettings(environment, backplaneUrl, context) };
});

export interface StartConfig {
  databaseUrl: string | undefined;
  /** The variable is kept for messages. */
  backplane: { variable: string; url: string; redis: RedisSettings } | undefined;
  modelApiKey: string | undefined;
  modelBaseUrl: string | undefined;
  modelProvider: ModelProvider;
  masterKeys: string | undefined;
  /** Undefined: the usual one where it is free, else any free one. */
  port: number | undefined;
  searchPath: string;
  /** Private addresses that tools and webhooks may have. */
  egressAllow: string;
  drainMs: number;
  shutdownMs: number;
  /** The environment of the API and the workers, besides what `start` sets. */
  environment: Record<string, string>;
}

/** Reads the environment for `start`. Throws a `Failure` that names every mistake in it. */
export function readStartConfig(environment: NodeJS.ProcessEnv = process.env): StartConfig {
  const given = withoutEmpty(environment);
  const parsed = parse(startVariables, given);
  const { backplaneUrl: url, redis } = parsed;
  const variable = parsed.BACKPLANE_URL === undefined ? 'REDIS_URL' : 'BACKPLANE_URL';
  return {
    databaseUrl: parsed.DATABASE_URL,
    backplane: url === undefined ? undefined : { variable, url, redis },
    modelApiKey: parsed.ANTHROPIC_API_KEY,
    modelBaseUrl: parsed.ANTHROPIC_BASE_URL,
    modelProvider: parsed.MODEL_PROVIDER,
    masterKeys: parsed.TURNPIKE_MASTER_KEYS,
    port: parsed.PORT,
    searchPath: parsed.PATH,
    drainMs: parsed.DRAIN_MS,
    shutdownMs: parsed.SHUTDOWN_MS,
    egressAllow: parsed.EGRESS_ALLOW,
    environment: { ...given, LOG_FORMAT: parsed.LOG_FORMAT, EGRESS_ALLOW: parsed.EGRESS_ALLOW },
  };
}

/** What `doctor` looks at, besides the database and the master keys. `backplane` is undefined where it is no Redis. */
export function readDoctorConfig(
  environment: NodeJS.ProcessEnv = process.env,
): Pick<StartConfig, 'modelBaseUrl' | 'modelProvider'> & { backplane: StartConfig['backplane'] } {
  const { backplane, modelBaseUrl, modelProvider } = readStartConfig(ofCommand(environment));
  const isRedis = backplane !== undefined && /^rediss?:/.test(backplane.url);
  return { backplane: isRedis ? backplane : undefined, modelBaseUrl, modelProvider };
}

/** `DATABASE_URL`; undefined where it is not set. */
export function readDatabaseUrl(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  return parse(environmentVariables.pick({ DATABASE_URL: true }), withoutEmpty(environment)).DATABASE_URL;
}

/** The database that a command works on: the environment's, else that of what `start` runs in this directory. */
export function findDatabaseUrl(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  return readDatabaseUrl(ofCommand(environment));
}

/** The API that commands call as a client: the environment's, else that of what `start` runs in this directory. */
export function readApiConfig(environment: NodeJS.ProcessEnv = process.env): {
  url: string | undefined;
  key: string | undefined;
} {
  const wanted = { TURNPIKE_URL: true, TURNPIKE_API_KEY: true } as const;
  const parsed = parse(environmentVariables.pick(wanted), withoutEmpty(environment));
  // The key of what runs here is never sent to another address.
  if (parsed.TURNPIKE_URL !== undefined) return { url: parsed.TURNPIKE_URL, key: parsed.TURNPIKE_API_KEY };
  const { API, KEY } = readCommandEnvironment(process.cwd());
  return { url: API, key: parsed.TURNPIKE_API_KEY ?? KEY };
}

/** The address that a migration uses instead of `DATABASE_URL`, and how long it waits for another one. */
export function readMigrateConfig(environment: NodeJS.ProcessEnv = process.env): {
  url: string | undefined;
  lockTimeoutMs: number;
} {
  const wanted = { MIGRATE_DATABASE_URL: true, MIGRATE_LOCK_TIMEOUT_MS: true } as const;
  const parsed = parse(environmentVariables.pick(wanted), withoutEmpty(environment));
  return { url: parsed.MIGRATE_DATABASE_URL, lockTimeoutMs: parsed.MIGRATE_LOCK_TIMEOUT_MS };
}

/** The provider of that database's master keys. Throws a `Failure` that names every mistake. */
export function readKeySettings(environment: NodeJS.ProcessEnv = process.env): KeySettings {
  return parse(keySettingsSchema, withoutEmpty(ofCommand(environment)));
}

/** The master keys that `start` wrote are used only with the database that it started. */
function ofCommand(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const given = withoutEmpty(environment);
  if (given['DATABASE_URL'] !== undefined) return given;
  return { ...readCommandEnvironment(process.cwd()), ...given };
}

/** All variables: for a program that runs a user's code. */
export function readWholeEnvironment(environment: NodeJS.ProcessEnv = process.env): Record<string, string> {
  return withoutEmpty(environment);
}

/** The variables that a database server needs; none of them changes how it works. */
export function readServerEnvironment(environment: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const names = ['PATH', 'TMPDIR', 'SystemRoot'];
  const given = withoutEmpty(environment);
  return Object.fromEntries(Object.entries(given).filter(([name]) => names.includes(name)));
}

/** An empty variable counts as not set: compose files and shells set such variables. */
function withoutEmpty(environment: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      value === undefined || value === '' ? [] : [[name, value]],
    ),
  );
}

function parse<Schema extends z.ZodType>(schema: Schema, given: Record<string, string>): z.output<Schema> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const mistakes = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new Failure(`The environment is not right: ${mistakes.join('; ')}.`);
}
