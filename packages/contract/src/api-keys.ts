import { z } from 'zod';
import { idSchema } from './ids.ts';

/**
 * What a key may do. `admin` may do everything in its tenant and is the only scope that creates and revokes keys. `secrets:use` may
 * reference a secret in a field that sends its value somewhere; `secrets:write` includes it. `schedules:write` also
 * lets a key submit turns at times. `mcp` gives work to agents at `/mcp`, and reads and cancels turns there. `operator`
 * sees and pauses all tenants and pools: no other scope includes it, and only the command line gives it to a key.
 */
export const SCOPES = [
  'turns:read',
  'turns:write',
  'schedules:read',
  'schedules:write',
  'agents:read',
  'agents:write',
  'tools:read',
  'tools:write',
  'files:read',
  'files:write',
  'mcp',
  'usage:read',
  'secrets:read',
  'secrets:use',
  'secrets:write',
  'webhooks:read',
  'webhooks:write',
  'admin',
  'operator',
] as const;

export const scopeSchema = z.enum(SCOPES);
export type Scope = z.infer<typeof scopeSchema>;

/** What a key can be given by the API. */
export const grantableScopeSchema = scopeSchema.exclude(['operator']);

/** True if one of these scopes is the required one, or includes it. */
export function allows(scopes: readonly Scope[], required: Scope): boolean {
  return [required, ...includedIn(required)].some((scope) => scopes.includes(scope));
}

/** The scopes that include another. */
function includedIn(scope: Scope): Scope[] {
  if (scope === 'operator') return [];
  return scope === 'secrets:use' ? ['secrets:write', 'admin'] : ['admin'];
}

const YEAR_SECONDS = 366 * 24 * 60 * 60;

const scopesSchema = z
  .array(grantableScopeSchema)
  .min(1)
  .refine((scopes) => new Set(scopes).size === scopes.length, 'must not contain a scope twice');

const lifetimeSchema = z
  .int()
  .min(60)
  .max(10 * YEAR_SECONDS);

export const createApiKeySchema = z
  .strictObject({
    name: z.string().min(1).max(200),
    scopes: scopesSchema,
    expires_in_seconds: lifetimeSchema
      .optional()
      .meta({ description: 'If omitted, the key does not expire.' }),
  })
  .meta({ id: 'CreateApiKey' });
export type CreateApiKey = z.infer<typeof createApiKeySchema>;

export const rotateApiKeySchema = z
  .strictObject({
    overlap_seconds: z
      .int()
      .min(0)
      .max(30 * 24 * 60 * 60)
      .default(24 * 60 * 60)
      .meta({ description: 'How long the old key stays valid beside the new one.' }),
    expires_in_seconds: lifetimeSchema
      .optional()
      .meta({ description: 'Lifetime of the new key. If omitted, it expires when the old key would have.' }),
  })
  .meta({ id: 'RotateApiKey' });

export const apiKeySchema = z
  .object({
    id: idSchema('apiKey'),
    object: z.literal('api_key'),
    name: z.string(),
    scopes: z.array(scopeSchema),
    last_four: z.string(),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime().nullable(),
    last_used_at: z.iso.datetime().nullable().meta({ description: 'Accurate to the minute.' }),
    revoked_at: z.iso.datetime().nullable(),
  })
  .meta({ id: 'ApiKey', description: 'An API key, without its value.' });
export type ApiKey = z.infer<typeof apiKeySchema>;

/** The only response that contains the key. */
export const createdApiKeySchema = apiKeySchema
  .extend({ key: z.string().meta({ example: 'tp_live_...' }) })
  .meta({ id: 'CreatedApiKey' });
