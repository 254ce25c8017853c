import { hidePassword, hideValue } from '@turnpike/telemetry';
import type { z } from 'zod';
import { keySettingsSchema, type KeySettings } from './key-settings.ts';

/** What every program that works with tenants' secrets is told. */
interface ProgramSettings {
  databaseUrl: string;
  backplaneUrl: string;
}

/**
 * Reads a program's environment: settings of its own, and who holds the master keys. What is secret in it
 * appears in no line of the log from then on. Throws one error that names every mistake.
 */
export function readEnvironment<Schema extends z.ZodType<ProgramSettings>>(
  schema: Schema,
  environment: NodeJS.ProcessEnv,
): z.output<Schema> & { keys: KeySettings } {
  // A variable that is set to nothing is one that is not set: compose files and shells do that.
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = schema.safeParse(given);
  const keys = keySettingsSchema.safeParse(given);
  if (parsed.success && keys.success) {
    // Also of a program that needs none, and was given the same environment as the workers.
    hideValue(given['ANTHROPIC_API_KEY'] ?? '', true);
    hidePassword(parsed.data.databaseUrl);
    hidePassword(parsed.data.backplaneUrl);
    return { ...parsed.data, keys: keys.data };
  }
  const issues = [parsed, keys].flatMap(({ error }) => error?.issues ?? []);
  const mistakes = issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
  throw new Error(`The environment is not complete:\n${mistakes.join('\n')}`);
}
