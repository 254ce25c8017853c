import { timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';
import { hideValue } from './hidden-values.ts';

const SHOWN = '[secret]';

/**
 * A value that prints as `[secret]`: in a template, as JSON and in an inspected object. Only `reveal` returns it, which
 * is easy to find in a review. Its value is scrubbed from logs.
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

  /** In constant time for values of the same length. */
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
