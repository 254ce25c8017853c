import { Secret } from '@turnpike/telemetry';
import { openBytes, sealBytes } from './aes-gcm.ts';
import type { DataKey } from './data-key.ts';
import { bindSecretContext, readEnvelope, type SecretContext, writeEnvelope } from './envelope.ts';
import { SecretUnreadableError } from './errors.ts';

/**
 * Encrypts a secret with AES-256-GCM under the tenant's data key, bound to its context. Returns an envelope (`v1.`,
 * the data key's id, `.`, base64url) that is safe to store and to print.
 * Throws a `TypeError` for a value that UTF-8 cannot represent (an unpaired surrogate).
 */
export function sealSecret(dataKey: DataKey, context: SecretContext, plain: Secret): string {
  if (!plain.reveal().isWellFormed()) throw new TypeError('The value of a secret must be well-formed text.');
  const bytes = Buffer.from(plain.reveal());
  const sealed = sealBytes(dataKey.reveal(), bindSecretContext(dataKey.id, context), bytes);
  bytes.fill(0);
  return writeEnvelope({ dataKeyId: dataKey.id, sealed });
}

/**
 * Decrypts an envelope of `sealSecret`. Throws `SecretUnreadableError` if the context or the data key is not the
 * same, or a byte was changed.
 */
export function openSecret(dataKey: DataKey, context: SecretContext, envelope: string): Secret {
  const { dataKeyId, sealed } = readEnvelope(envelope);
  if (dataKeyId !== dataKey.id) throw new SecretUnreadableError();
  const plain = openBytes(dataKey.reveal(), bindSecretContext(dataKey.id, context), sealed);
  if (plain === undefined) throw new SecretUnreadableError();
  const secret = new Secret(plain.toString());
  plain.fill(0);
  return secret;
}

/** The id of an envelope's data key. Throws `SecretUnreadableError` for an unknown format. */
export function dataKeyIdOf(envelope: string): string {
  return readEnvelope(envelope).dataKeyId;
}
