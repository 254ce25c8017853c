import { Secret } from '@turnpike/telemetry';
import { z } from 'zod';
import { KeyProviderError } from './errors.ts';
import type { VaultResponse } from './vault-response.ts';
import type { VaultApi } from './vault-api.ts';
import type { VaultRules } from './vault-settings.ts';

/** A token and its time. */
export interface VaultLease {
  token: Secret;
  renewable: boolean;
  /** As `Date.now()` counts; `Infinity` where it has no end, or none that is known. */
  endsAt: number;
  /** Milliseconds that it had at first. Renewals get shorter as the token nears its last day. */
  firstMs: number;
}

const seconds = z.number().min(0);
const loginSchema = z.object({
  auth: z.object({
    client_token: z.string().regex(/^[\x21-\x7e]+$/),
    lease_duration: seconds,
    renewable: z.boolean(),
  }),
});
const renewalSchema = z.object({ auth: z.object({ lease_duration: seconds, renewable: z.boolean() }) });
const lookupSchema = z.object({ data: z.object({ ttl: seconds, renewable: z.boolean() }) });

/** Throws `KeyProviderError`: also where the AppRole is refused. */
export async function logIn(api: VaultApi, auth: VaultRules['auth']): Promise<VaultLease> {
  return auth.method === 'token' ? lookUpToken(api, auth.token) : logInWithRole(api, auth);
}

/**
 * The same token with more time. Where Vault gives no more, or little, a new one by the AppRole.
 * Throws `KeyProviderError`; the old lease may still be good then.
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
  throw new KeyProviderError('key_provider_refused', 'Vault does not renew the token: it will end.');
}

function isLongEnough({ endsAt, firstMs }: VaultLease): boolean {
  return endsAt - Date.now() > firstMs / 2;
}

async function extend(api: VaultApi, lease: VaultLease): Promise<VaultLease | undefined> {
  const asked = Date.now();
  const path = 'auth/token/renew-self';
  const answer = await api.send({ method: 'POST', path, body: {}, token: lease.token });
  const parsed = renewalSchema.safeParse(isGood(answer) ? answer.body : undefined);
  if (!parsed.success) return undefined;
  const { lease_duration: duration, renewable } = parsed.data.auth;
  return { ...lease, renewable, endsAt: endOf(asked, duration) };
}

async function logInWithRole(
  api: VaultApi,
  { mount, roleId, secretId }: Extract<VaultRules['auth'], { method: 'approle' }>,
): Promise<VaultLease> {
  const asked = Date.now();
  const body = { role_id: roleId, secret_id: secretId.reveal() };
  const answer = await api.send({ method: 'POST', path: `auth/${mount}/login`, body });
  if (!isGood(answer)) {
    const message = `Vault refused the login of the AppRole (${answer.status}).`;
    throw new KeyProviderError('key_provider_refused', message, 30_000);
  }
  const parsed = loginSchema.safeParse(answer.body);
  if (!parsed.success) {
    throw new KeyProviderError('key_provider_failed', 'Vault answered a login with what is none.');
  }
  const { client_token: token, lease_duration: duration, renewable } = parsed.data.auth;
  return { token: new Secret(token), renewable, endsAt: endOf(asked, duration), firstMs: duration * 1_000 };
}

/** A token that may not look at itself is used as it is: whether it is good, the first call will tell. */
async function lookUpToken(api: VaultApi, token: Secret): Promise<VaultLease> {
  const asked = Date.now();
  const answer = await api.send({ method: 'GET', path: 'auth/token/lookup-self', token });
  const parsed = lookupSchema.safeParse(isGood(answer) ? answer.body : undefined);
  const { ttl, renewable } = parsed.data?.data ?? { ttl: 0, renewable: false };
  return { token, renewable, endsAt: endOf(asked, ttl), firstMs: ttl * 1_000 };
}

/** Zero is Vault's way to say that there is no end. */
function endOf(asked: number, lasting: number): number {
  return lasting === 0 ? Infinity : asked + lasting * 1_000;
}

function isGood({ status }: VaultResponse): boolean {
  return status >= 200 && status < 300;
}
