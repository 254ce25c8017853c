import { z } from 'zod';
import { NAMES_SECRET, secretNameSchema } from './secrets.ts';

/** By which the operator's own model calls can go. */
export const MODEL_PROVIDERS = ['anthropic', 'bedrock', 'vertex'] as const;
export type ModelProvider = (typeof MODEL_PROVIDERS)[number];

/** Names of the tenant's secrets that contain keys of the model API, in order of preference. */
export const modelKeysSchema = z
  .array(secretNameSchema.meta(NAMES_SECRET))
  .max(8)
  .refine((names) => new Set(names).size === names.length, 'must not contain a key twice')
  .meta({ description: 'Names of secrets in order of preference.', example: ['anthropic', 'anthropic_2'] });

/** How a key is sent. Anthropic's API accepts both forms; a gateway often accepts only one. */
export const modelAuthSchema = z.enum(['x-api-key', 'bearer']).meta({
  description: 'The header that contains the key: `x-api-key`, or `Authorization: Bearer`.',
});
export type ModelAuth = z.infer<typeof modelAuthSchema>;

/** Names of this machine: a key sent there does not pass a network. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** Must be https, because keys are sent to it; http only to loopback, which the operator must also allow. */
export const modelBaseUrlSchema = z
  .url({ protocol: /^https?$/ })
  .max(2_000)
  .superRefine((text, context) => {
    const addIssue = (message: string): void => context.addIssue({ code: 'custom', message });
    const url = readUrl(text);
    // Zod has already reported it.
    if (url === null) return;
    if (url.protocol === 'http:' && !LOOPBACK.test(url.hostname)) addIssue('must begin with https://');
    if (url.username !== '' || url.password !== '') addIssue('must have no user name and no password');
    if (/[?#]/.test(text)) addIssue('must have no query and no fragment');
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
      .meta({ description: "URL of a gateway for the Messages API; null: the operator's endpoint." }),
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
    operator_key: z.boolean().meta({
      description: "Whether the tenant may use the operator's key. Only the operator can change it.",
    }),
    updated_at: z.iso.datetime().nullable().meta({ description: 'Null if nothing was ever set.' }),
  })
  .meta({ id: 'ModelSettings', description: 'The keys and the endpoint of model calls.' });
export type ModelSettings = z.infer<typeof modelSettingsSchema>;

/** The keys and the endpoint of a turn's model calls, as configured at the time of the claim. */
export interface ModelAccess {
  /** The tenant's list; an agent's `model_keys` take precedence. */
  keys: string[];
  /** Null: the operator's endpoint. */
  baseUrl: string | null;
  auth: ModelAuth;
  /** Whether this tenant may use the operator's key. */
  operatorKey: boolean;
}
