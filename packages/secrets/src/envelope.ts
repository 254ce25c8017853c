import { encodeParts } from './encode-parts.ts';
import { SecretUnreadableError } from './errors.ts';

/** Where a secret lives. A ciphertext opens in this place only. */
export interface SecretContext {
  tenantId: string;
  /** Of the secret, as in `/v1/secrets/:name`. */
  name: string;
  /** The column or the field of the value. */
  field: string;
  /** Counts up with every new value. */
  version: number;
}

export interface Envelope {
  dataKeyId: string;
  /** Nonce, tag and ciphertext. */
  sealed: Buffer;
}

const FORMAT = 'v1';

/** `v1.`, the data key's id, `.`, and nonce, tag and ciphertext in base64url. */
export function writeEnvelope({ dataKeyId, sealed }: Envelope): string {
  return `${FORMAT}.${dataKeyId}.${sealed.toString('base64url')}`;
}

/**
 * Its parts, not yet proven: an id read here only says which data key to try.
 * Throws `SecretUnreadableError` for another format.
 */
export function readEnvelope(envelope: string): Envelope {
  const [format, dataKeyId, encoded, ...more] = envelope.split('.');
  if (format === FORMAT && dataKeyId !== undefined && encoded !== undefined && more.length === 0) {
    const sealed = Buffer.from(encoded, 'base64url');
    // Node reads other alphabets and ignores spare bits: one secret would have many spellings.
    if (sealed.toString('base64url') === encoded) return { dataKeyId, sealed };
  }
  throw new SecretUnreadableError('The secret is in a format that is not known here.');
}

/** The additional data: all of the place and all of the envelope's head. */
export function bindSecretContext(dataKeyId: string, place: SecretContext): Buffer {
  const { tenantId, name, field, version } = place;
  return encodeParts('turnpike secret', FORMAT, dataKeyId, tenantId, name, field, String(version));
}
