import { Secret } from '@turnpike/telemetry';
import { z } from 'zod';

/**
 * The part of `fetch` that is used. The `fetch` of egress's `createUpstreamFetch` is compatible; it determines the
 * trusted authorities.
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

/** A value for a path or a header: no leading or trailing slash, no dot segments, nothing to escape. */
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
 * - `fetch`: see `VaultFetch`. The provider does not close it.
 * - `address`: URL of Vault, as in VAULT_ADDR: `https://vault.example:8200`. Plain http to another machine requires
 *   `plainHttp`, because it exposes data keys and tokens to the network.
 * - `namespace`: of Vault Enterprise; sent as `X-Vault-Namespace` with every request.
 * - `mount`, `key`: mount of the transit engine (default `transit`), and the name of the key.
 * - `binding`: what binds a data key to its tenant. `context` (default) requires a key that was created with
 *   `derived=true`. `associated_data` works with any AEAD key, but Vault cannot rewrap with it, so the data key passes
 *   through this process on a rewrap.
 * - `auth`: a token, or an AppRole (`mount` default `approle`). The policy needs `update` on
 *   `<mount>/encrypt/<key>` and `<mount>/decrypt/<key>`, and with `context` on `<mount>/rewrap/<key>`.
 * - Times are milliseconds: `timeoutMs` of one request, `deadlineMs` after which there is no further attempt,
 *   `backoffBaseMs` and `backoffCapMs` of the waits between attempts. `maxAttempts`: requests per call.
 * - `onRenewalFailure`: called when a token could not be renewed, while it is still valid.
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
