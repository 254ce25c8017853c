import { Secret } from '@turnpike/telemetry';
import { openBytes, sealBytes } from './aes-gcm.ts';
import type { DataKey } from './data-key.ts';
import { bindSecretContext, readEnvelope, type SecretContext, writeEnvelope } from './envelope.ts';
import { SecretUnreadableError } from './errors.ts';

/**
 * The value, encrypted with AES-256-GCM under the tenant's data key and bound to its place. The
 * envelope is `v1.`, the data key's id, `.` and base64url: safe to store and to print.
 * Throws a `TypeError` for a value that UTF-8 cannot keep (an unpaired surrogate).
 */
export function sealSecret(dataKey: DataKey, place: SecretContext, plain: Secret): string {
  if (!plain.reveal().isWellFormed()) throw new TypeError('The value of a secret must be well-formed text.');
  const bytes = Buffer.from(plain.reveal());
  const sealed = sealBytes(dataKey.reveal(), bindSecretContext(dataKey.id, place), bytes);
  bytes.fill(0);
  return writeEnvelope({ dataKeyId: dataKey.id, sealed });
}

/**
 * The value that `sealSecret` was given for the same place.
 * Throws `SecretUnreadableError` for any other place, data key or byte.
 */
export function openSecret(dataKey: DataKey, place: SecretContext, envelope: string): Secret {
  const { dataKeyId, sealed } = readEnvelope(envelope);
  if (dataKeyId !== dataKey.id) throw new SecretUnreadableError();
  const plain = openBytes(dataKey.reveal(), bindSecretContext(dataKey.id, place), sealed);
  if (plain === undefined) throw new SecretUnreadableError();
  const secret = new Secret(plain.toString());
  plain.fill(0);
  return secret;
}

/**
 * The id of the data key that opens this envelope, if any does.
 * Throws `SecretUnreadableError` for a format that is not known.
 */
export function dataKeyIdOf(envelope: string): string {
  return readEnvelope(envelope).dataKeyId;
}
