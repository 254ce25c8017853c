import { encodeParts } from './encode-parts.ts';
import { SecretUnreadableError } from './errors.ts';

/** Identifies a stored secret. A ciphertext is bound to its context and decrypts in no other. */
export interface SecretContext {
  tenantId: string;
  /** Name of the secret, as in `/v1/secrets/:name`. */
  name: string;
  /** Column or field of the value. */
  field: string;
  /** Increases with every new value. */
  version: number;
}

export interface Envelope {
  dataKeyId: string;
  /** Nonce, tag and ciphertext. */
  sealed: Buffer;
}

const FORMAT = 'v1';

/** Formats an envelope: `v1.`, the data key's id, `.`, and nonce, tag and ciphertext in base64url. */
export function writeEnvelope({ dataKeyId, sealed }: Envelope): string {
  return `${FORMAT}.${dataKeyId}.${sealed.toString('base64url')}`;
}

/**
 * Parses an envelope. The parts are not authenticated: the id only says which data key to try.
 * Throws `SecretUnreadableError` for an unknown format.
 */
export function readEnvelope(envelope: string): Envelope {
  const [format, dataKeyId, encoded, ...more] = envelope.split('.');
  if (format === FORMAT && dataKeyId !== undefined && encoded !== undefined && more.length === 0) {
    const sealed = Buffer.from(encoded, 'base64url');
    // Node accepts other alphabets and ignores spare bits: one secret would have many encodings.
    if (sealed.toString('base64url') === encoded) return { dataKeyId, sealed };
  }
  throw new SecretUnreadableError('The format of the secret is unknown.');
}

/** The additional data of the encryption: the context and the head of the envelope. */
export function bindSecretContext(dataKeyId: string, context: SecretContext): Buffer {
  const { tenantId, name, field, version } = context;
  return encodeParts('turnpike secret', FORMAT, dataKeyId, tenantId, name, field, String(version));
}
