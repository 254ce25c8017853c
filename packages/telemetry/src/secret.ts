import { timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';
import { hideValue } from './hidden-values.ts';

const SHOWN = '[secret]';

/**
 * A value that does not print: not in a template, not as JSON, not in an inspected object. The
 * one way to it is `reveal`, which is easy to find in a review. Its value is scrubbed from logs.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
    hideValue(value);
  }

  reveal(): string {
    return this.#value;
  }

  /** In constant time for values of one length. */
  equals(other: Secret): boolean {
    const [one, two] = [Buffer.from(this.#value), Buffer.from(other.#value)];
    return one.length === two.length && timingSafeEqual(one, two);
  }

  toString(): string {
    return SHOWN;
  }

  toJSON(): string {
    return SHOWN;
  }

  [inspect.custom](): string {
    return SHOWN;
  }
}
