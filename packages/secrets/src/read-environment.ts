import { hidePassword, hideValue } from '@turnpike/telemetry';
import type { z } from 'zod';
import { keySettingsSchema, type KeySettings } from './key-settings.ts';

/** Variables whose values prove to another server who calls it. */
const SECRETS = [
  'ANTHROPIC_API_KEY',
  'AWS_BEARER_TOKEN_BEDROCK',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'REDIS_SENTINEL_PASSWORD',
] as const;

/** Settings of every program that uses tenants' secrets. */
interface ProgramSettings {
  databaseUrl: string;
  backplaneUrl: string;
}

/**
 * Parses a program's environment: its settings and the settings of the master keys. From then on the logger redacts
 * the secrets in it. Throws one error that lists all issues.
 */
export function readEnvironment<Schema extends z.ZodType<ProgramSettings>>(
  schema: Schema,
  environment: NodeJS.ProcessEnv,
): z.output<Schema> & { keys: KeySettings } {
  // An empty variable counts as unset: compose files and shells set empty ones.
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = schema.safeParse(given);
  const keys = keySettingsSchema.safeParse(given);
  if (parsed.success && keys.success) {
    // Also in a program that does not use it, but got the same environment as the workers.
    for (const name of SECRETS) hideValue(given[name] ?? '', true);
    hidePassword(parsed.data.databaseUrl);
    hidePassword(parsed.data.backplaneUrl);
    return { ...parsed.data, keys: keys.data };
  }
  const issues = [parsed, keys].flatMap(({ error }) => error?.issues ?? []);
  const mistakes = issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
  throw new Error(`The environment is not complete:\n${mistakes.join('\n')}`);
}
