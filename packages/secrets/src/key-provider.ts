import { encodeParts } from './encode-parts.ts';
import { DataKeyUnreadableError } from './errors.ts';

/** What a data key is bound to: it can be unwrapped only for this tenant. */
export interface KeyContext {
  tenantId: string;
}

/** A data key as it is stored, encrypted. Safe to print. */
export interface WrappedKey {
  /** The master key and its version, if it has versions. Needs `rewrap` if it differs from `currentKeyId`. No spaces. */
  keyId: string;
  ciphertext: string;
}

/**
 * Holds the master keys. Every method may throw `KeyProviderError` (retryable); those that read a wrapped key
 * may throw `DataKeyUnreadableError` (terminal).
 */
export interface KeyProvider {
  /** Id of the master key that `wrap` uses. */
  currentKeyId(): Promise<string>;
  /** Encrypts a data key under the current master key. */
  wrap(dataKey: Buffer, context: KeyContext): Promise<WrappedKey>;
  /** Returns 32 bytes in a new buffer, which the caller must zero-fill. */
  unwrap(wrapped: WrappedKey, context: KeyContext): Promise<Buffer>;
  /** Returns the same data key wrapped under the current master key. */
  rewrap(wrapped: WrappedKey, context: KeyContext): Promise<WrappedKey>;
  close(): void;
}

/** The additional data of a wrapped key; a provider can add `extra` parts. */
export function bindContext(context: KeyContext, ...extra: readonly string[]): Buffer {
  return encodeParts('turnpike data key', context.tenantId, ...extra);
}

/** Formats a wrapped key for one column: the master key's id, a space, the ciphertext. */
export function writeWrappedKey({ keyId, ciphertext }: WrappedKey): string {
  return `${keyId} ${ciphertext}`;
}

/** Parses the output of `writeWrappedKey`. Throws `DataKeyUnreadableError` for anything else. */
export function readWrappedKey(text: string): WrappedKey {
  const [keyId, ciphertext, ...more] = text.split(' ');
  if (keyId && ciphertext && more.length === 0) return { keyId, ciphertext };
  throw new DataKeyUnreadableError('The format of the wrapped data key is unknown.');
}
