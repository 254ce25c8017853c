/** Its result is not used; a promise is watched for a rejection. */
type Listener<Values extends readonly unknown[]> = (...values: Values) => unknown;

/** Event names, and the values that listeners of each are called with. */
type EventMap<Events> = { [Name in keyof Events]: readonly unknown[] };

/**
 * An event emitter whose events are typed by a map from their names to their values. Listeners are called in the
 * order in which they were added. One that throws, or rejects, affects neither the emitter nor other listeners: its
 * error is reported to `onError`, which must not throw.
 */
export class TypedEmitter<Events extends EventMap<Events>> {
  readonly #onError: (error: unknown) => void;
  readonly #listeners: { [Name in keyof Events]?: readonly Listener<Events[Name]>[] } = {};

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): this {
    // A new array each time: `emit` may be going through the old one.
    this.#listeners[name] = [...(this.#listeners[name] ?? []), listener];
    return this;
  }

  /** Never throws. */
  emit<Name extends keyof Events>(name: Name, ...values: Events[Name]): void {
    const listeners = this.#listeners[name];
    if (listeners === undefined) return;
    for (const listener of listeners) {
      try {
        const result = listener(...values);
        if (result instanceof Promise) result.catch(this.#onError);
      } catch (error) {
        this.#onError(error);
      }
    }
  }
}
