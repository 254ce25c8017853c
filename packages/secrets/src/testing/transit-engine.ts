import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

interface TransitKey {
  derived: boolean;
  versions: Buffer[];
  minDecryptionVersion: number;
}

export type TransitFields = Readonly<Record<string, string>>;

/** An error with a message of Vault. */
export class TransitError extends Error {}

/** The used part of Vault's transit engine, including the fields that it ignores. */
export class TransitEngine {
  readonly #keys = new Map<string, TransitKey>();
  /** False imitates versions before 1.9, which ignored the field. */
  knowsAssociatedData = true;

  create(name: string, { derived }: { derived: boolean }): void {
    this.#keys.set(name, { derived, versions: [randomBytes(32)], minDecryptionVersion: 1 });
  }

  rotate(name: string): void {
    this.#find(name).versions.push(randomBytes(32));
  }

  forbidBefore(name: string, version: number): void {
    this.#find(name).minDecryptionVersion = version;
  }

  encrypt(name: string, fields: TransitFields): Record<string, unknown> {
    const key = this.#find(name);
    const version = key.versions.length;
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', derive(key, version, fields), nonce);
    cipher.setAAD(this.#associated(fields));
    const plain = Buffer.from(fields['plaintext'] ?? '', 'base64');
    const sealed = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    return { ciphertext: `vault:v${version}:${sealed.toString('base64')}`, key_version: version };
  }

  decrypt(name: string, fields: TransitFields): Record<string, unknown> {
    const key = this.#find(name);
    const [, number, encoded] = /^vault:v(\d+):(.*)$/.exec(fields['ciphertext'] ?? '') ?? [];
    const version = Number(number);
    const sealed = Buffer.from(encoded ?? '', 'base64');
    if (!(version >= 1 && version <= key.versions.length) || sealed.length < 28) {
      throw new TransitError('invalid ciphertext: version is too new or it is too short');
    }
    if (version < key.minDecryptionVersion) {
      throw new TransitError('ciphertext or signature version is disallowed by policy (too old)');
    }
    const decipher = createDecipheriv('aes-256-gcm', derive(key, version, fields), sealed.subarray(0, 12));
    decipher.setAAD(this.#associated(fields)).setAuthTag(sealed.subarray(-16));
    try {
      const plain = Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]);
      return { plaintext: plain.toString('base64') };
    } catch {
      throw new TransitError('cipher: message authentication failed');
    }
  }

  /** Rewrap has no field for associated data, and so ignores it. */
  rewrap(name: string, { ciphertext = '', context = '' }: TransitFields): Record<string, unknown> {
    const { plaintext } = this.decrypt(name, { ciphertext, context });
    return this.encrypt(name, { plaintext: String(plaintext), context });
  }

  #find(name: string): TransitKey {
    const key = this.#keys.get(name);
    if (key === undefined) throw new TransitError('encryption key not found');
    return key;
  }

  #associated(fields: TransitFields): Buffer {
    const given = this.knowsAssociatedData ? (fields['associated_data'] ?? '') : '';
    return Buffer.from(given, 'base64');
  }
}

function derive(key: TransitKey, version: number, fields: TransitFields): Buffer {
  const master = key.versions[version - 1] ?? Buffer.alloc(0);
  if (!key.derived) return master;
  const context = Buffer.from(fields['context'] ?? '', 'base64');
  if (context.length === 0) throw new TransitError("missing 'context' for key derivation");
  return Buffer.from(hkdfSync('sha256', master, '', context, 32));
}
