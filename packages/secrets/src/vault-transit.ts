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

/** No tenant's id has a space. */
const PROBE = { tenantId: 'a probe' };
const OTHER_PROBE = { tenantId: 'another probe' };

/**
 * One key of the transit engine, https://developer.hashicorp.com/vault/api-docs/secret/transit:
 * `encrypt`, `decrypt` and `rewrap`. What is asked of it is well-formed, so a 400 is about the ciphertext.
 */
export class VaultTransit {
  readonly #session: VaultSession;
  readonly #rules: VaultRules;

  constructor(session: VaultSession, rules: VaultRules) {
    this.#session = session;
    this.#rules = rules;
  }

  async encrypt(dataKey: Buffer, context: KeyContext): Promise<WrappedKey> {
    const answer = await this.#post('encrypt', { plaintext: dataKey.toString('base64') }, context);
    return this.#readWrapped(expectGood(answer));
  }

  async decrypt(wrapped: WrappedKey, context: KeyContext): Promise<Buffer> {
    const answer = await this.#post('decrypt', { ciphertext: this.#ownCiphertext(wrapped) }, context);
    const { data } = expectShape(plaintextSchema, expectOpened(answer));
    const shared = Buffer.from(data.plaintext, 'base64');
    if (shared.length !== KEY_BYTES) throw new DataKeyUnreadableError();
    // What `from` gives lies in memory that other buffers share.
    const own = Buffer.alloc(KEY_BYTES, shared);
    shared.fill(0);
    return own;
  }

  /** Inside Vault where it can: its `rewrap` takes a context, but no associated data (hashicorp/vault#31791). */
  async rewrap(wrapped: WrappedKey, context: KeyContext): Promise<WrappedKey> {
    if (this.#rules.binding === 'context') {
      const answer = await this.#post('rewrap', { ciphertext: this.#ownCiphertext(wrapped) }, context);
      return this.#readWrapped(expectOpened(answer));
    }
    const dataKey = await this.decrypt(wrapped, context);
    try {
      return await this.encrypt(dataKey, context);
    } finally {
      dataKey.fill(0);
    }
  }

  /** Asked by encrypting something, so that no right to read the key's settings is needed. */
  async latestKeyId(): Promise<string> {
    const { keyId } = await this.encrypt(randomBytes(KEY_BYTES), PROBE);
    return keyId;
  }

  /**
   * Wraps random bytes for one tenant and tries to unwrap them for another. Vault ignores the context
   * where the key is not derived, and old versions ignore associated data.
   * Throws `KeyProviderError` (`key_provider_misconfigured`) unless that is refused.
   */
  async proveBinding(): Promise<void> {
    const wrapped = await this.encrypt(randomBytes(KEY_BYTES), PROBE);
    try {
      const opened = await this.decrypt(wrapped, OTHER_PROBE);
      opened.fill(0);
    } catch (error) {
      if (error instanceof DataKeyUnreadableError) return;
      throw error;
    }
    const remedy = this.#rules.binding === 'context' ? 'made with derived=true' : 'of a newer Vault';
    throw misconfigured(`The key of Vault does not bind to a tenant: it must be ${remedy}.`);
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

  #readWrapped(answer: VaultResponse): WrappedKey {
    const { ciphertext } = expectShape(ciphertextSchema, answer).data;
    return { keyId: `${this.#ownKey()}:${ciphertext.split(':')[1]}`, ciphertext };
  }

  #ownCiphertext({ keyId, ciphertext }: WrappedKey): string {
    if (keyId.startsWith(`${this.#ownKey()}:`)) return ciphertext;
    throw new KeyProviderError(
      'master_key_unknown',
      'The data key is under a key that is not in this Vault.',
    );
  }

  #ownKey(): string {
    return `vault:${this.#rules.mount}/${this.#rules.key}`;
  }
}

function expectOpened(answer: VaultResponse): VaultResponse {
  if (answer.status !== 400 || says(answer, 'key not found')) return expectGood(answer);
  // The version is below `min_decryption_version`, which an operator can lower again.
  if (says(answer, 'too old'))
    throw misconfigured('Vault does not decrypt with so old a version of its key.');
  throw new DataKeyUnreadableError();
}

function expectGood(answer: VaultResponse): VaultResponse {
  if (answer.status >= 200 && answer.status < 300) return answer;
  if (answer.status === 403) {
    const message = 'Vault refused the token, or its policy does not let it use the key.';
    throw new KeyProviderError('key_provider_refused', message, 30_000);
  }
  const reason = says(answer, 'key not found') ? 'has no key of this name' : 'does not take the request';
  throw misconfigured(`Vault ${reason} (${answer.status}).`);
}

function expectShape<T>(schema: z.ZodType<T>, { body }: VaultResponse): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new KeyProviderError('key_provider_failed', 'Vault gave an answer that cannot be read.');
}

function says({ errors }: VaultResponse, words: string): boolean {
  return errors.some((error) => error.includes(words));
}

function misconfigured(message: string): KeyProviderError {
  return new KeyProviderError('key_provider_misconfigured', message, 30_000);
}
