import { Secret } from '@turnpike/telemetry';
import { z } from 'zod';
import { KeyProviderError } from './errors.ts';
import type { VaultResponse } from './vault-response.ts';
import type { VaultApi } from './vault-api.ts';
import type { VaultRules } from './vault-settings.ts';

/** A token and its lifetime. */
export interface VaultLease {
  token: Secret;
  renewable: boolean;
  /** In milliseconds since 1970; `Infinity` if it does not expire, or its expiry is unknown. */
  endsAt: number;
  /** Initial lifetime in milliseconds. Renewals get shorter as the token approaches its maximum lifetime. */
  firstMs: number;
}

const secondsSchema = z.number().min(0);
const loginSchema = z.object({
  auth: z.object({
    client_token: z.string().regex(/^[\x21-\x7e]+$/),
    lease_duration: secondsSchema,
    renewable: z.boolean(),
  }),
});
const renewalSchema = z.object({ auth: z.object({ lease_duration: secondsSchema, renewable: z.boolean() }) });
const lookupSchema = z.object({ data: z.object({ ttl: secondsSchema, renewable: z.boolean() }) });

/** Logs in, or looks up the configured token. Throws `KeyProviderError`, also if the AppRole is refused. */
export async function logIn(api: VaultApi, auth: VaultRules['auth']): Promise<VaultLease> {
  return auth.method === 'token' ? lookUpToken(api, auth.token) : logInWithRole(api, auth);
}

/**
 * Renews the token. If Vault does not renew it, or only for a short time, logs in with the AppRole instead.
 * Throws `KeyProviderError`; the old lease may still be valid then.
 */
export async function renewLease(
  api: VaultApi,
  auth: VaultRules['auth'],
  lease: VaultLease,
): Promise<VaultLease> {
  const renewed = lease.renewable ? await extend(api, lease) : undefined;
  if (renewed !== undefined && isLongEnough(renewed)) return renewed;
  if (auth.method === 'approle') return logInWithRole(api, auth);
  if (renewed !== undefined) return renewed;
  throw new KeyProviderError('key_provider_refused', 'Vault does not renew the token: it will expire.');
}

function isLongEnough({ endsAt, firstMs }: VaultLease): boolean {
  return endsAt - Date.now() > firstMs / 2;
}

async function extend(api: VaultApi, lease: VaultLease): Promise<VaultLease | undefined> {
  const requestedAt = Date.now();
  const path = 'auth/token/renew-self';
  const response = await api.send({ method: 'POST', path, body: {}, token: lease.token });
  const parsed = renewalSchema.safeParse(isSuccess(response) ? response.body : undefined);
  if (!parsed.success) return undefined;
  const { lease_duration: duration, renewable } = parsed.data.auth;
  return { ...lease, renewable, endsAt: endOf(requestedAt, duration) };
}

async function logInWithRole(
  api: VaultApi,
  { mount, roleId, secretId }: Extract<VaultRules['auth'], { method: 'approle' }>,
): Promise<VaultLease> {
  const requestedAt = Date.now();
  const body = { role_id: roleId, secret_id: secretId.reveal() };
  const response = await api.send({ method: 'POST', path: `auth/${mount}/login`, body });
  if (!isSuccess(response)) {
    const message = `Vault refused the login of the AppRole (${response.status}).`;
    throw new KeyProviderError('key_provider_refused', message, 30_000);
  }
  const parsed = loginSchema.safeParse(response.body);
  if (!parsed.success) {
    throw new KeyProviderError('key_provider_failed', 'Vault sent an invalid response to the login.');
  }
  const { client_token: token, lease_duration: duration, renewable } = parsed.data.auth;
  return {
    token: new Secret(token),
    renewable,
    endsAt: endOf(requestedAt, duration),
    firstMs: duration * 1_000,
  };
}

/** A token without permission to look itself up is used as it is: the first request shows whether it is valid. */
async function lookUpToken(api: VaultApi, token: Secret): Promise<VaultLease> {
  const requestedAt = Date.now();
  const response = await api.send({ method: 'GET', path: 'auth/token/lookup-self', token });
  const parsed = lookupSchema.safeParse(isSuccess(response) ? response.body : undefined);
  const { ttl, renewable } = parsed.data?.data ?? { ttl: 0, renewable: false };
  return { token, renewable, endsAt: endOf(requestedAt, ttl), firstMs: ttl * 1_000 };
}

/** In Vault, a duration of zero means no expiry. */
function endOf(requestedAt: number, seconds: number): number {
  return seconds === 0 ? Infinity : requestedAt + seconds * 1_000;
}

function isSuccess({ status }: VaultResponse): boolean {
  return status >= 200 && status < 300;
}
