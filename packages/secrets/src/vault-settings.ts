import { Secret } from '@turnpike/telemetry';
import { z } from 'zod';

/**
 * As much of `fetch` as is needed: the `fetch` of egress's `createUpstreamFetch` fits, and decides
 * about TLS: which authorities are trusted is its setting.
 */
export type VaultFetch = (
  url: string,
  init: {
    method: 'GET' | 'POST';
    headers: Record<string, string>;
    body?: string;
    redirect: 'manual';
    signal: AbortSignal;
  },
) => Promise<{ status: number; headers: { get(name: string): string | null }; text(): Promise<string> }>;

/** What goes into a path or a header: no slash at an end, no dots alone, nothing to escape. */
const SEGMENTS = /^[A-Za-z0-9_-][A-Za-z0-9_.-]*(\/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$/;
const path = z.string().regex(SEGMENTS, 'must be letters, digits and _ . -, with single slashes between');
const keyName = path.refine((name) => !name.includes('/'), 'must have no slash');
const milliseconds = z.int().min(1).max(600_000);

const secret = z.custom<Secret>((value) => value instanceof Secret, 'must be a Secret');
const header = secret.refine(
  (value) => /^[\x21-\x7e]+$/.test(value.reveal()),
  'must be visible ASCII characters, at least one',
);

const auth = z.discriminatedUnion('method', [
  z.strictObject({ method: z.literal('token'), token: header }),
  z.strictObject({
    method: z.literal('approle'),
    mount: path.default('approle'),
    roleId: z.string().min(1, 'must not be empty'),
    secretId: secret,
  }),
]);

const settingsSchema = z.strictObject({
  fetch: z.custom<VaultFetch>((value) => typeof value === 'function', 'must be a function'),
  address: z.string().transform(readAddress),
  plainHttp: z.boolean().default(false),
  namespace: z
    .string()
    .transform((text) => text.replace(/\/$/, ''))
    .pipe(path)
    .optional(),
  mount: path.default('transit'),
  key: keyName,
  binding: z.enum(['context', 'associated_data']).default('context'),
  auth,
  timeoutMs: milliseconds.default(5_000),
  deadlineMs: milliseconds.default(15_000),
  maxAttempts: z.int().min(1).max(20).default(4),
  backoffBaseMs: milliseconds.default(200),
  backoffCapMs: milliseconds.default(2_000),
  onRenewalFailure: z
    .custom<(error: Error) => void>((value) => typeof value === 'function', 'must be a function')
    .optional(),
});

/**
 * - `fetch`: see `VaultFetch`. It is not closed here.
 * - `address`: of Vault, as in VAULT_ADDR, `https://vault.example:8200`. Plain http leaves this machine
 *   only with `plainHttp`, for it shows data keys and tokens to the network.
 * - `namespace`: of Vault Enterprise; sent as `X-Vault-Namespace`, at the login too.
 * - `mount`, `key`: of the transit engine, default `transit`, and the key's name in it.
 * - `binding`: what ties a data key to its tenant. `context` (the default) needs a key that was made with
 *   `derived=true`; `associated_data` works with any AEAD key, but Vault has no rewrap for it, so that a
 *   data key passes through this process when it is rewrapped.
 * - `auth`: a token, or an AppRole (`mount` default `approle`). The policy needs `update` on
 *   `<mount>/encrypt/<key>` and `<mount>/decrypt/<key>`, and with `context` on `<mount>/rewrap/<key>`.
 * - Times are milliseconds: `timeoutMs` of one request, `deadlineMs` after which no further one is made,
 *   `backoffBaseMs` and `backoffCapMs` of the waits between. `maxAttempts` requests for one call.
 * - `onRenewalFailure` is told when a token could not be renewed; there is still time then.
 */
export type VaultSettings = z.input<typeof settingsSchema>;

export type VaultRules = z.output<typeof settingsSchema>;

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

export const vaultSettingsSchema = settingsSchema.refine(
  ({ address, plainHttp }) => address.protocol === 'https:' || plainHttp || LOOPBACK.test(address.hostname),
  { path: ['address'], message: 'must be https, or plainHttp must be set' },
);

function readAddress(text: string, context: z.core.$RefinementCtx<string>): URL {
  if (URL.canParse(text)) {
    const address = new URL(text);
    if (/^https?:$/.test(address.protocol) && address.href === `${address.origin}/`) return address;
  }
  const message = 'must be a URL of http or https with a host and a port, and nothing else';
  context.issues.push({ code: 'custom', message, input: undefined });
  return z.NEVER;
}
