import type { z } from 'zod';
import { KeySettingsError } from './errors.ts';

/**
 * The settings, checked. Throws `KeySettingsError` with every mistake; the error of zod stays behind,
 * and with it whatever it may hold of the input.
 */
export function parseSettings<T>(subject: string, schema: z.ZodType<T>, settings: unknown): T {
  const parsed = schema.safeParse(settings);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message }));
  throw new KeySettingsError(subject, issues);
}
