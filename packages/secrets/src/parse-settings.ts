import type { z } from 'zod';
import { KeySettingsError } from './errors.ts';

/**
 * Validates settings. Throws `KeySettingsError` with all issues, and without Zod's error as its cause, because that may
 * contain input.
 */
export function parseSettings<T>(subject: string, schema: z.ZodType<T>, settings: unknown): T {
  const parsed = schema.safeParse(settings);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message }));
  throw new KeySettingsError(subject, issues);
}
