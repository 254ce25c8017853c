import { encodeParts } from './encode-parts.ts';
import { DataKeyUnreadableError } from './errors.ts';

/** What a data key is bound to: it unwraps for this tenant only. */
export interface KeyContext {
  tenantId: string;
}

/** A data key as it is stored. Safe to print. */
export interface WrappedKey {
  /** The master key, with its version where it has several. Other than `currentKeyId`: due for `rewrap`. No spaces. */
  keyId: string;
  ciphertext: string;
}

/**
 * Who holds the master keys. All of it may throw `KeyProviderError` (retryable); reading a wrapped key
 * may throw `DataKeyUnreadableError` (terminal).
 */
export interface KeyProvider {
  /** The master key that `wrap` uses now. */
  currentKeyId(): Promise<string>;
  wrap(dataKey: Buffer, context: KeyContext): Promise<WrappedKey>;
  /** 32 bytes in a buffer of its own, the caller's to zero-fill. */
  unwrap(wrapped: WrappedKey, context: KeyContext): Promise<Buffer>;
  /** The same data key under the current master key. */
  rewrap(wrapped: WrappedKey, context: KeyContext): Promise<WrappedKey>;
  close(): void;
}

/** The bytes that a wrapped key is bound to; `extra` is what a provider binds besides. */
export function bindContext(context: KeyContext, ...extra: readonly string[]): Buffer {
  return encodeParts('turnpike data key', context.tenantId, ...extra);
}

/** One text for one column: the master key's id, a space, the ciphertext. */
export function writeWrappedKey({ keyId, ciphertext }: WrappedKey): string {
  return `${keyId} ${ciphertext}`;
}

/** Throws `DataKeyUnreadableError` for what `writeWrappedKey` did not write. */
export function readWrappedKey(text: string): WrappedKey {
  const [keyId, ciphertext, ...more] = text.split(' ');
  if (keyId && ciphertext && more.length === 0) return { keyId, ciphertext };
  throw new DataKeyUnreadableError('The wrapped data key is in a format that is not known here.');
}
