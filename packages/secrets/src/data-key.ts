import { randomBytes } from 'node:crypto';
import { KEY_BYTES } from './aes-gcm.ts';

const ID = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * A tenant's unwrapped data key. It is never printed, and its bytes can be wiped. A wiped key throws instead of
 * encrypting with zeros.
 */
export class DataKey {
  readonly id: string;
  #bytes: Buffer | undefined;

  /** Takes ownership of the buffer. Throws a `RangeError` unless it has 32 bytes, and the id 1 to 64 of `A-Z a-z 0-9 _ -`. */
  constructor(id: string, bytes: Buffer) {
    if (bytes.length !== KEY_BYTES || !ID.test(id)) {
      bytes.fill(0);
      throw new RangeError(`A data key has ${KEY_BYTES} bytes and an id of 1 to 64 letters, digits, _ or -.`);
    }
    this.id = id;
    this.#bytes = bytes;
  }

  /** A new random key. Throws a `RangeError` for an invalid id. */
  static random(id: string): DataKey {
    return new DataKey(id, randomBytes(KEY_BYTES));
  }

  /** The key's buffer, not a copy: do not keep it. Throws an `Error` if the key was wiped. */
  reveal(): Buffer {
    if (this.#bytes === undefined) throw new Error('The data key was wiped.');
    return this.#bytes;
  }

  /** Overwrites the bytes with zeros. */
  wipe(): void {
    this.#bytes?.fill(0);
    this.#bytes = undefined;
  }
}
