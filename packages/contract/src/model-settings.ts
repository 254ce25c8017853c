import { z } from 'zod';
import { NAMES_SECRET, secretNameSchema } from './secrets.ts';

/** Names of the tenant's secrets that hold a key of the model API, the preferred one first. */
export const modelKeysSchema = z
  .array(secretNameSchema.meta(NAMES_SECRET))
  .max(8)
  .refine((names) => new Set(names).size === names.length, 'each key once')
  .meta({ description: 'Names of secrets, the preferred one first.', example: ['anthropic', 'anthropic_2'] });

/**
 * How a key is sent. Anthropic's API takes its keys both ways; a gateway often knows only one of them.
 */
export const modelAuthSchema = z.enum(['x-api-key', 'bearer']).meta({
  description: 'The header that a key travels in: `x-api-key`, or `Authorization: Bearer`.',
});
export type ModelAuth = z.infer<typeof modelAuthSchema>;

/** A name that only means this machine: there is no network on which a key could be read. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** Keys are sent there, so it is https; http only to loopback, which the operator must allow as well. */
export const modelBaseUrlSchema = z
  .url({ protocol: /^https?$/ })
  .max(2_000)
  .superRefine((text, context) => {
    const complain = (message: string): void => context.addIssue({ code: 'custom', message });
    const url = readUrl(text);
    // Zod has said so already.
    if (url === null) return;
    if (url.protocol === 'http:' && !LOOPBACK.test(url.hostname)) complain('must begin with https://');
    if (url.username !== '' || url.password !== '') complain('must have no user name and no password');
    if (/[?#]/.test(text)) complain('must have no query and no fragment');
  })
  .meta({ example: 'https://gateway.invalid' });

function readUrl(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

export const putModelSettingsSchema = z
  .strictObject({
    keys: modelKeysSchema,
    base_url: modelBaseUrlSchema
      .nullable()
      .default(null)
      .meta({ description: 'A gateway that speaks the Messages API; null: where the operator calls it.' }),
    auth: modelAuthSchema.default('x-api-key'),
  })
  .meta({ id: 'PutModelSettings' });
export type PutModelSettings = z.output<typeof putModelSettingsSchema>;

export const modelSettingsSchema = z
  .object({
    object: z.literal('model_settings'),
    keys: modelKeysSchema,
    base_url: modelBaseUrlSchema.nullable(),
    auth: modelAuthSchema,
    operator_key: z
      .boolean()
      .meta({ description: "Whether the operator's own key may be used; the operator decides that." }),
    updated_at: z.iso.datetime().nullable().meta({ description: 'Null where nothing was ever set.' }),
  })
  .meta({ id: 'ModelSettings', description: 'Whose keys pay for model calls, and where they go.' });
export type ModelSettings = z.infer<typeof modelSettingsSchema>;

/** With what a turn may call the model, as it was when the turn was claimed. */
export interface ModelAccess {
  /** The tenant's list; an agent's `model_keys` stand above it. */
  keys: string[];
  /** Null: where the operator calls the model. */
  baseUrl: string | null;
  auth: ModelAuth;
  /** The operator lets this tenant use the operator's own key. */
  operatorKey: boolean;
}
