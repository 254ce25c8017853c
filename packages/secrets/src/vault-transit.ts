import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { KEY_BYTES } from './aes-gcm.ts';
import { DataKeyUnreadableError, KeyProviderError } from './errors.ts';
import { bindContext, type KeyContext, type WrappedKey } from './key-provider.ts';
import type { VaultResponse } from './vault-response.ts';
import type { VaultSession } from './vault-session.ts';
import type { VaultRules } from './vault-settings.ts';

const ciphertextSchema = z.object({
  data: z.object({ ciphertext: z.string().regex(/^vault:v\d+:[A-Za-z0-9+/=]+$/) }),
});
const plaintextSchema = z.object({ data: z.object({ plaintext: z.base64() }) });

/** These cannot be tenants: no tenant id contains a space. */
const PROBE = { tenantId: 'a probe' };
const OTHER_PROBE = { tenantId: 'another probe' };

/**
 * One key of the transit engine, https://developer.hashicorp.com/vault/api-docs/secret/transit:
 * `encrypt`, `decrypt` and `rewrap`. The requests are well-formed, so a 400 is caused by the ciphertext.
 */
export class VaultTransit {
  readonly #session: VaultSession;
  readonly #rules: VaultRules;

  constructor(session: VaultSession, rules: VaultRules) {
    this.#session = session;
    this.#rules = rules;
  }

  async encrypt(dataKey: Buffer, context: KeyContext): Promise<WrappedKey> {
    const response = await this.#post('encrypt', { plaintext: dataKey.toString('base64') }, context);
    return this.#readWrapped(expectSuccess(response));
  }

  async decrypt(wrapped: WrappedKey, context: KeyContext): Promise<Buffer> {
    const response = await this.#post('decrypt', { ciphertext: this.#ownCiphertext(wrapped) }, context);
    const { data } = expectShape(plaintextSchema, expectDecrypted(response));
    const shared = Buffer.from(data.plaintext, 'base64');
    if (shared.length !== KEY_BYTES) throw new DataKeyUnreadableError();
    // `Buffer.from` uses pooled memory that other buffers share.
    const own = Buffer.alloc(KEY_BYTES, shared);
    shared.fill(0);
    return own;
  }

  /** Inside Vault if possible: its `rewrap` accepts a context, but no associated data (hashicorp/vault#31791). */
  async rewrap(wrapped: WrappedKey, context: KeyContext): Promise<WrappedKey> {
    if (this.#rules.binding === 'context') {
      const response = await this.#post('rewrap', { ciphertext: this.#ownCiphertext(wrapped) }, context);
      return this.#readWrapped(expectDecrypted(response));
    }
    const dataKey = await this.decrypt(wrapped, context);
    try {
      return await this.encrypt(dataKey, context);
    } finally {
      dataKey.fill(0);
    }
  }

  /** Determined by encrypting random bytes, which needs no permission to read the key's configuration. */
  async latestKeyId(): Promise<string> {
    const { keyId } = await this.encrypt(randomBytes(KEY_BYTES), PROBE);
    return keyId;
  }

  /**
   * Verifies that bytes wrapped for one tenant cannot be unwrapped for another. Vault ignores the context if the
   * key is not derived, and old versions ignore associated data.
   * Throws `KeyProviderError` (`key_provider_misconfigured`) if they can be unwrapped.
   */
  async verifyBinding(): Promise<void> {
    const wrapped = await this.encrypt(randomBytes(KEY_BYTES), PROBE);
    try {
      const opened = await this.decrypt(wrapped, OTHER_PROBE);
      opened.fill(0);
    } catch (error) {
      if (error instanceof DataKeyUnreadableError) return;
      throw error;
    }
    const remedy = this.#rules.binding === 'context' ? 'created with derived=true' : 'in a newer Vault';
    throw misconfigured(`Vault does not bind data keys to a tenant: the key must be ${remedy}.`);
  }

  #post(
    action: 'encrypt' | 'decrypt' | 'rewrap',
    body: Readonly<Record<string, string>>,
    context: KeyContext,
  ): Promise<VaultResponse> {
    const { mount, key, binding } = this.#rules;
    const bound = bindContext(context).toString('base64');
    return this.#session.post(`${mount}/${action}/${key}`, { ...body, [binding]: bound });
  }

  #readWrapped(response: VaultResponse): WrappedKey {
    const { ciphertext } = expectShape(ciphertextSchema, response).data;
    return { keyId: `${this.#ownKey()}:${ciphertext.split(':')[1]}`, ciphertext };
  }

  #ownCiphertext({ keyId, ciphertext }: WrappedKey): string {
    if (keyId.startsWith(`${this.#ownKey()}:`)) return ciphertext;
    throw new KeyProviderError(
      'master_key_unknown',
      'The data key is wrapped under a key that is not in this Vault.',
    );
  }

  #ownKey(): string {
    return `vault:${this.#rules.mount}/${this.#rules.key}`;
  }
}

function expectDecrypted(response: VaultResponse): VaultResponse {
  if (response.status !== 400 || hasError(response, 'key not found')) return expectSuccess(response);
  // The version is below `min_decryption_version`, which an operator can lower again.
  if (hasError(response, 'too old'))
    throw misconfigured('Vault does not decrypt with this old version of its key.');
  throw new DataKeyUnreadableError();
}

function expectSuccess(response: VaultResponse): VaultResponse {
  if (response.status >= 200 && response.status < 300) return response;
  if (response.status === 403) {
    const message = 'Vault refused the token, or its policy does not permit use of the key.';
    throw new KeyProviderError('key_provider_refused', message, 30_000);
  }
  const reason = hasError(response, 'key not found') ? 'has no key with this name' : 'refused the request';
  throw misconfigured(`Vault ${reason} (${response.status}).`);
}

function expectShape<T>(schema: z.ZodType<T>, { body }: VaultResponse): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new KeyProviderError('key_provider_failed', 'Vault sent an invalid response.');
}

function hasError({ errors }: VaultResponse, text: string): boolean {
  return errors.some((error) => error.includes(text));
}

function misconfigured(message: string): KeyProviderError {
  return new KeyProviderError('key_provider_misconfigured', message, 30_000);
}
