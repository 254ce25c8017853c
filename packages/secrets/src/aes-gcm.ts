import { createCipheriv, createDecipheriv, randomBytes, type KeyObject } from 'node:crypto';

const ALGORITHM = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Length of every key in bytes. */
export const KEY_BYTES = 32;

/**
 * Encrypts with AES-256-GCM (NIST SP 800-38D). Returns nonce (12 random bytes), tag (16 bytes) and ciphertext. With
 * random nonces, one key is safe for 2^32 messages, far more than the secrets of a tenant.
 */
export function sealBytes(key: Buffer | KeyObject, additionalData: Buffer, plain: Uint8Array): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES }).setAAD(additionalData);
  const ciphertext = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), ciphertext]);
}

/**
 * Decrypts the output of `sealBytes`. Returns a buffer that the caller must zero-fill; undefined if authentication
 * fails.
 */
export function openBytes(
  key: Buffer | KeyObject,
  additionalData: Buffer,
  sealed: Uint8Array,
): Buffer | undefined {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) return undefined;
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES })
    .setAAD(additionalData)
    .setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  const plain = decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES));
  try {
    decipher.final();
    return plain;
  } catch {
    plain.fill(0);
    return undefined;
  }
}
